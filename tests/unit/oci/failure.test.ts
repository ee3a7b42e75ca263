import assert from 'node:assert/strict';
import { DeliveryError, explain } from '../../../src/errors.ts';
import { explainRegistryFailure } from '../../../src/oci/failure.ts';
import { RegistryRefusal } from '../../../src/oci/refusal.ts';

describe('a registry that answers 401', () => {
  const text = (known: { username?: string; hasIdentity?: boolean }): string => {
    const refusal = new RegistryRefusal(401, { codes: ['UNAUTHORIZED'], text: 'authentication required' });
    const error = explainRegistryFailure(refusal, {
      ...{ registryUrl: 'https://models.azurecr.io', action: 'read the tags of app', ...known },
    });
    assert.ok(error instanceof DeliveryError);
    return explain(error);
  };

  it('is told apart by who asked: nobody, a user, or an identity whose token it gave itself', () => {
    assert.match(text({}), /an anonymous reader.*Give credentials/s);
    assert.match(text({ username: 'builder' }), /user 'builder'.*password/s);
    assert.match(text({ hasIdentity: true }), /identity of the Azure service connection.*role/s);
    assert.doesNotMatch(text({ hasIdentity: true }), /anonymous|password/);
  });
});
