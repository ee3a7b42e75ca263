import assert from 'node:assert/strict';
import { DeliveryError } from '../../../src/errors.ts';
import { settingsFile } from '../../../src/kube/command/files.ts';
import { kubectlError } from '../../../src/kube/command/kubectlError.ts';
import { readTranscript } from '../../../src/kube/command/transcript.ts';

const call = { verb: 'apply', what: "Deployment 'web' in namespace 'shop'" };

function codeOf(text: string): string {
  return kubectlError(call, text).code;
}

describe("kubectl's complaint", () => {
  it("is explained as the API server's own answer", () => {
    const forbidden =
      'Error from server (Forbidden): deployments.apps "web" is forbidden: User "bot" cannot patch resource "deployments" in API group "apps" in the namespace "shop"';
    assert.match(
      kubectlError(call, forbidden).message,
      /'bot' may not patch deployments in namespace 'shop'/,
    );
    assert.equal(codeOf('Error from server (NotFound): namespaces "shop" not found'), 'NAMESPACE_NOT_FOUND');
    assert.equal(
      codeOf('error: You must be logged in to the server (Unauthorized)'),
      'CLUSTER_UNAUTHENTICATED',
    );
    assert.equal(
      codeOf('error: resource mapping not found: no matches for kind "Foo" in version "v1"'),
      'KIND_UNKNOWN',
    );
    assert.equal(codeOf('Unable to connect to the server'), 'CLUSTER_ERROR');
  });

  it('of a conflict names the other tool and the field', () => {
    const text =
      'error: Apply failed with 1 conflict: conflict with "helm" using apps/v1: .spec.replicas\nPlease review the fields above--they currently have other managers. Here\nare the ways you can resolve this warning:';
    const error = kubectlError(call, text);
    assert.equal(error.code, 'APPLY_CONFLICT');
    assert.match(error.message, /\.spec\.replicas \(conflict with "helm" using apps\/v1\)/);
  });
});

describe("A script's account", () => {
  it('is told apart from all that others print', () => {
    const log =
      'noise\nmark begin live/0 0\n{"a":1}\nother begin live/1 0\nmark end live/0\nmark applied 0\nmark done\n';
    const { frames, said } = readTranscript({ exitCode: 0, log }, 'mark');
    assert.deepEqual([...frames], [['live/0', { status: 0, text: '{"a":1}\nother begin live/1 0' }]]);
    assert.deepEqual(said, ['applied 0', 'done']);
  });

  it('is refused when its last line is missing', () => {
    assert.throws(
      () => readTranscript({ exitCode: 0, log: 'mark applied 0\n' }, 'mark'),
      (error) => error instanceof DeliveryError && error.code === 'RUN_COMMAND_LOG_CUT',
    );
  });

  it('gets its settings as the shell reads them back', () => {
    assert.equal(settingsFile({ A: "it's $(x)", B: true }), "A='it'\\''s $(x)'\nB='true'\n");
  });
});
