import assert from 'node:assert/strict';
import { agentProxy, environmentProxy, proxyAuthorization } from '../../../src/http/network/proxy.ts';

describe('the choice of a proxy', () => {
  const chosen = (choose: ReturnType<typeof agentProxy>, url: string) => choose(new URL(url))?.origin;

  it("follows the agent's setting but for its bypass list, this machine and the metadata service", () => {
    const bypass = ['https://artifacts\\.example\\.com/', '\\.INTERNAL(:|/)', '(broken'];
    const choose = agentProxy({ url: 'http://proxy.example:3128/', username: 'u', password: 'p@:/', bypass });
    assert.equal(chosen(choose, 'https://myteam.azurecr.io/v2/'), 'http://proxy.example:3128');
    assert.equal(chosen(choose, 'http://artifacts.example.com/'), 'http://proxy.example:3128');
    for (const direct of [
      'https://artifacts.example.com/x',
      'https://registry.internal:5000/v2/',
      'http://127.0.0.1:10000/',
      'http://[::1]/',
      'http://169.254.169.254/metadata',
    ]) {
      assert.equal(chosen(choose, direct), undefined, direct);
    }
    const proxy = choose(new URL('https://example.com'));
    assert.ok(proxy);
    assert.equal(proxyAuthorization(proxy), `Basic ${Buffer.from('u:p@:/').toString('base64')}`);
  });

  it('reads the environment as curl does: lower case first, NO_PROXY by host, suffix and port', () => {
    const choose = environmentProxy({
      HTTPS_PROXY: 'http://upper:1',
      https_proxy: 'user%40corp:s%3Acret@lower:2',
      HTTP_PROXY: 'http://plain:3',
      NO_PROXY: '.example.com, corp.net:8443 *.dev',
    });
    assert.equal(chosen(choose, 'https://azure.com'), 'http://lower:2');
    assert.equal(chosen(choose, 'http://azure.com'), 'http://plain:3');
    assert.equal(chosen(choose, 'https://corp.net'), 'http://lower:2');
    for (const direct of [
      'https://a.example.com',
      'https://example.com',
      'https://x.corp.net:8443',
      'http://a.b.dev',
    ]) {
      assert.equal(chosen(choose, direct), undefined, direct);
    }
    const { username, password } = choose(new URL('https://azure.com')) ?? {};
    assert.deepEqual([username, password], ['user@corp', 's:cret']);
    assert.equal(
      chosen(environmentProxy({ ALL_PROXY: 'http://all:1', NO_PROXY: '*' }), 'https://a.b'),
      undefined,
    );
    assert.equal(chosen(environmentProxy({}), 'https://a.b'), undefined);
  });
});
