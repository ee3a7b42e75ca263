import assert from 'node:assert/strict';
import { parse, stringify } from 'yaml';
import { withoutPlugins } from '../../../src/azure/aksKubeconfig.ts';

const config = (user: object) => stringify({ clusters: [], users: [{ name: 'u', user }] });

describe("AKS's kubeconfig", () => {
  it('loses the plug-in and gives the application that it names', () => {
    const forms = [
      { exec: { command: 'kubelogin', args: ['get-token', '--server-id', 'the-server'] } },
      { exec: { command: 'kubelogin', args: ['get-token', '--server-id=the-server'] } },
      { 'auth-provider': { name: 'azure', config: { 'apiserver-id': 'the-server' } } },
    ];
    for (const form of forms) {
      const plain = withoutPlugins(config(form));
      assert.equal(plain.serverId, 'the-server');
      assert.equal(plain.usesPlugin, true);
      assert.deepEqual(parse(plain.content).users, [{ name: 'u', user: {} }]);
    }
  });

  it('stays as it is where users bring their own credentials', () => {
    const content = config({ token: 'mine' });
    assert.deepEqual(withoutPlugins(content), { content, usesPlugin: false });
  });

  it('is refused without showing it when it is no YAML mapping', () => {
    assert.throws(
      () => withoutPlugins('{ secret: [unclosed'),
      (error: Error) => !String(error.cause ?? error.message).includes('unclosed'),
    );
  });
});
