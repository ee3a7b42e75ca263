import assert from 'node:assert/strict';
import { createAuthorizer, parseChallenges } from '../../../src/oci/auth.ts';

const registry = new URL('https://registry.example');
const credentials = { username: 'me', password: 'secret' };
const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
const bearer =
  'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:app:pull"';

describe('registry authentication', () => {
  it('reads challenges with several schemes and quoted commas', () => {
    assert.deepEqual(parseChallenges(`Basic realm="a, b", ${bearer}`), [
      { scheme: 'basic', parameters: { realm: 'a, b' } },
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.example/token',
          service: 'registry.example',
          scope: 'repository:app:pull',
        },
      },
    ]);
    assert.deepEqual(parseChallenges('Negotiate'), []);
  });

  it('sends nothing before it was asked, and a password once refused is not sent again', async () => {
    const authorizer = createAuthorizer(registry, credentials, () => assert.fail());
    assert.equal(authorizer.known('s'), undefined);
    assert.equal(await authorizer.answer('Basic realm="x"', 's', undefined), basic);
    assert.equal(authorizer.known('s'), basic);
    assert.equal(await authorizer.answer('Basic realm="x"', 's', basic), undefined);
  });

  it('asks for one token a scope, however many requests wait for it, and renews it when it is refused', async () => {
    const asked: string[] = [];
    const authorizer = createAuthorizer(registry, credentials, async (url, authorization) => {
      assert.equal(authorization, basic);
      asked.push(`${url.searchParams.getAll('scope')}`);
      return { token: `t${asked.length}`, expires_in: 300 };
    });
    const scope = 'repository:app:pull,push repository:base:pull';
    const both = await Promise.all([0, 1].map(() => authorizer.answer(bearer, scope, undefined)));
    assert.deepEqual(both, ['Bearer t1', 'Bearer t1']);
    assert.deepEqual(asked, ['repository:app:pull,push,repository:base:pull']);
    assert.equal(await authorizer.answer(bearer, scope, 'Bearer t1'), 'Bearer t2');
    assert.equal(authorizer.known(scope), 'Bearer t2');
    assert.equal(authorizer.known('repository:other:pull'), undefined);
  });

  it('does not send credentials to a token service without encryption', async () => {
    const authorizer = createAuthorizer(registry, credentials, () => assert.fail());
    await assert.rejects(authorizer.answer('Bearer realm="http://auth.example"', 's', undefined), {
      code: 'REGISTRY_TOKEN_SERVICE_UNSAFE',
    });
  });
});
