import assert from 'node:assert/strict';
import { unreachable } from '../../../src/kube/api/networkError.ts';
import { apiError, type Status } from '../../../src/kube/api/statusError.ts';

const call = { verb: 'apply', what: "Deployment 'web' in namespace 'shop'" };

function explained(code: number, status: Status) {
  const error = apiError(call, code, status);
  return { code: error.code, text: `${error.message} ${error.remedy}` };
}

describe("The API server's refusal", () => {
  it('of a missing right names the verb, the resource and the namespace to grant', () => {
    const message =
      'deployments.apps "web" is forbidden: User "system:serviceaccount:ci:bot" cannot patch resource "deployments" in API group "apps" in the namespace "shop"';
    const { code, text } = explained(403, { message, reason: 'Forbidden' });
    assert.equal(code, 'CLUSTER_FORBIDDEN');
    assert.match(text, /'system:serviceaccount:ci:bot' may not patch deployments in namespace 'shop'/);
    assert.match(text, /verb 'patch' on resource 'deployments' of API group 'apps' by a Role/);
  });

  it('of a missing role of Azure names the role and its scope instead', () => {
    const denied = (verb: string, place: string) =>
      explained(403, {
        message: `deployments.apps "web" is forbidden: User "0a1b" cannot ${verb} resource "deployments" in API group "apps"${place}: User does not have access to the resource in Azure. Update role assignment to allow access.`,
      }).text;
    assert.match(
      denied('patch', ' in the namespace "shop"'),
      /'Azure Kubernetes Service RBAC Writer' on the cluster's scope '\/namespaces\/shop'/,
    );
    assert.match(denied('list', ' in the namespace "shop"'), /Azure Kubernetes Service RBAC Reader/);
    assert.match(denied('create', ' at the cluster scope'), /Service RBAC Cluster Admin' on the cluster \(/);
  });

  it('of wrong credentials says so', () => {
    assert.equal(explained(401, { message: 'Unauthorized' }).code, 'CLUSTER_UNAUTHENTICATED');
  });

  it('of fields names each field', () => {
    const causes = [{ field: 'spec.template.spec.containers[0].image', message: 'Required value' }];
    const { code, text } = explained(422, { reason: 'Invalid', details: { causes } });
    assert.equal(code, 'MANIFEST_INVALID');
    assert.match(text, /spec\.template\.spec\.containers\[0\]\.image: Required value/);
  });

  it('of an immutable field says that another name is needed', () => {
    const causes = [{ field: 'spec.selector', message: 'Invalid value: field is immutable' }];
    assert.match(explained(422, { details: { causes } }).text, /immutable field cannot be changed in place/);
  });

  it('never quotes the value of a Secret, nor whole structs', () => {
    const secret = { verb: 'apply', what: "Secret 's' in namespace 'shop'" };
    const refusals = [
      '.stringData.pin: expected string, got &value.valueUnstructured{Value:98765432}',
      '.stringData.conf: expected string, got &value.valueUnstructured{Value:map[string]interface {}{"password":"98765432"}}',
      'Secret "s" is invalid: data[.dockerconfigjson]: Invalid value: "{\\"auth\\":\\"98765432\\"}": invalid character',
    ];
    for (const message of refusals) {
      const { code, ...error } = apiError(secret, 422, { message, details: { causes: [{ message }] } });
      assert.equal(code, 'MANIFEST_INVALID');
      assert.doesNotMatch(JSON.stringify(error) + error.message, /98765432/);
    }
    const message = 'Invalid value: {"Spec":{"Volumes":null}}: field is immutable';
    const { text } = explained(422, { details: { causes: [{ field: 'spec.template', message }] } });
    assert.match(text, /spec\.template: Invalid value: field is immutable An immutable field/);
  });

  it('of a value that cannot be read is about the manifest, though the server answers 500', () => {
    const message =
      'failed to convert new object (shop/s; /v1, Kind=Secret) to proper version: error decoding from json: illegal base64 data at input byte 7';
    assert.equal(explained(500, { message }).code, 'MANIFEST_INVALID');
  });

  it('of a conflict names the other tool and the way out', () => {
    const causes = [
      { reason: 'FieldManagerConflict', message: 'conflict with "helm"', field: '.spec.replicas' },
    ];
    const { code, text } = explained(409, { details: { causes } });
    assert.equal(code, 'APPLY_CONFLICT');
    assert.match(text, /\.spec\.replicas \(conflict with "helm"\).*forceConflicts: true/);
  });

  it('of an unknown namespace names the input', () => {
    const { code, text } = explained(404, { message: 'namespaces "shop" not found' });
    assert.equal(code, 'NAMESPACE_NOT_FOUND');
    assert.match(text, /createNamespace: true/);
  });

  it('by an admission webhook names the webhook', () => {
    const message = 'admission webhook "policy.example" denied the request: no latest tag';
    assert.match(explained(400, { message }).text, /'policy\.example' refuses .*no latest tag/);
  });

  it('by a webhook that gives no answer names it', () => {
    const message =
      'Internal error occurred: failed calling webhook "policy.example": failed to call webhook: Post "https://policy.example/": context deadline exceeded';
    const { code, text } = explained(500, { message });
    assert.equal(code, 'ADMISSION_UNAVAILABLE');
    assert.match(text, /'policy\.example' gives no answer.*deadline exceeded/);
  });

  it('for the quota is no missing right', () => {
    const message = 'deployments.apps "web" is forbidden: exceeded quota: small';
    assert.equal(explained(403, { message }).code, 'QUOTA_EXCEEDED');
  });
});

describe('An API server that cannot be reached', () => {
  const access = {
    origin: 'context x of the kubeconfig',
    server: 'https://api.example:6443',
    skipTlsVerify: false,
  };
  const failed = (code: string) => unreachable(access, Object.assign(new Error(code), { code }));

  it('is told apart by name, port and certificate', () => {
    assert.match(failed('ENOTFOUND').remedy, /'api\.example:6443' is not resolved/);
    assert.match(failed('ECONNREFUSED').remedy, /Nothing listens/);
    assert.equal(failed('SELF_SIGNED_CERT_IN_CHAIN').code, 'CLUSTER_TLS');
    assert.equal(failed('UND_ERR_CONNECT_TIMEOUT').code, 'CLUSTER_UNREACHABLE');
  });
});
