import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { type Connection, parseConnections } from '../../../local/agent/connections.ts';
import { chooseHandler, type TaskDefinition } from '../../../local/agent/task/definition.ts';
import { machineEnvironment, taskEnvironment } from '../../../local/agent/task/environment.ts';
import { resolveInputs } from '../../../local/agent/task/inputs.ts';
import { isVisible } from '../../../local/agent/task/visible.ts';

const definition: TaskDefinition = {
  id: '11111111-1111-4111-8111-111111111111',
  name: 'Probe',
  version: { Major: 1, Minor: 0, Patch: 0 },
  groups: [{ name: 'blob', visibleRule: 'source = azureBlob' }],
  inputs: [
    { name: 'source', type: 'pickList', defaultValue: 'http' },
    { name: 'account', type: 'string', required: true, groupName: 'blob' },
    { name: 'url', type: 'string', required: true, visibleRule: 'source = http', aliases: ['address'] },
    { name: 'folder', type: 'filePath' },
    { name: 'registry', type: 'connectedService:dockerregistry' },
    { name: 'text', type: 'string', defaultValue: '  run $(Build.BuildId) ' },
  ],
};
const connection: Connection = {
  name: 'models',
  id: '22222222-2222-4222-8222-222222222222',
  type: 'dockerregistry',
  url: 'http://registry.test',
  scheme: 'UsernamePassword',
  parameters: { 'user name': 'me', password: 'p' },
  data: { registrytype: 'Others' },
};

function inputs(given: Record<string, string>) {
  const expand = (text: string): string => text.replace('$(Build.BuildId)', '7');
  return resolveInputs(definition, { given, expand, root: '/w/s', connections: [connection] });
}

describe('the inputs of a task', () => {
  it('are its defaults, trimmed and expanded, below what the step gives', () => {
    const { values } = inputs({ url: ' http://$(Build.BuildId) ' });
    assert.equal(values['text'], 'run 7');
    assert.equal(values['url'], 'http://7');
    assert.equal(values['source'], 'http');
  });

  it('root file paths at the sources folder, which an empty one becomes', () => {
    assert.equal(inputs({ url: 'x' }).values['folder'], resolve('/w/s'));
    assert.equal(inputs({ url: 'x', folder: 'a/../b' }).values['folder'], resolve('/w/s/b'));
    assert.equal(inputs({ url: 'x', folder: '/abs' }).values['folder'], resolve('/abs'));
  });

  it('may be named by an alias, in any case', () => {
    assert.equal(inputs({ ADDRESS: 'x' }).values['url'], 'x');
  });

  it('must be there when they are required and shown', () => {
    assert.throws(() => inputs({}), /Probe needs 'url'/);
    assert.throws(() => inputs({ source: 'azureBlob' }), /Probe needs 'account'/);
    assert.equal(inputs({ source: 'azureBlob', account: 'a' }).values['url'], '');
  });

  it('hold a connection’s id, whose connection alone is handed over', () => {
    const { values, connections } = inputs({ url: 'x', registry: 'Models' });
    assert.equal(values['registry'], connection.id);
    assert.deepEqual(connections, [connection]);
    assert.deepEqual(inputs({ url: 'x' }).connections, []);
  });

  it('refuse a connection that does not exist, with the nearest', () => {
    assert.throws(
      () => inputs({ url: 'x', registry: 'modles' }),
      (error: { remedy?: string; message: string }) =>
        /'modles'/.test(error.message) && /models/.test(error.remedy ?? ''),
    );
  });

  it('warn of a name that the task does not have', () => {
    assert.match(inputs({ url: 'x', txt: '' }).warnings.join(), /'txt'.*'text'/);
  });
});

describe('a visibleRule', () => {
  const values: Record<string, string> = { a: 'One', b: 'two', c: '' };
  const rules: readonly (readonly [string, boolean])[] = [
    ['a = one', true],
    ['a == two', false],
    ['a != two', true],
    ['a = one && b = two', true],
    ['a = one && b = three', false],
    ['a = x || b = two', true],
    ['b in one,two', true],
    ['b NotIn one,two', false],
    ['a StartsWith o', true],
    ['a EndsWith x', false],
    ['b contains w', true],
    ['c = ', true],
    ['a =one', true],
    ['', true],
  ];
  for (const [rule, expected] of rules)
    it(`'${rule}' ${expected ? 'shows' : 'hides'} its input`, () => {
      assert.equal(
        isVisible(rule, (name) => values[name] ?? ''),
        expected,
      );
    });
});

describe('the environment of a task', () => {
  const environment = taskEnvironment({
    variables: [
      { name: 'Agent.JobStatus', value: 'Succeeded', secret: false, readOnly: false },
      { name: 'my.secret', value: 's', secret: true, readOnly: false },
    ],
    inputs: { 'a.b c': 'v' },
    connections: [connection],
    system: { url: 'https://service/', accessToken: 'token' },
    taskVariables: new Map([['state', 'kept']]),
  });
  const key = connection.id;
  const expected: Record<string, string> = {
    INPUT_A_B_C: 'v',
    AGENT_JOBSTATUS: 'Succeeded',
    'agent.jobstatus': 'Succeeded',
    SECRET_MY_SECRET: 's',
    VSTS_PUBLIC_VARIABLES: '["Agent.JobStatus"]',
    VSTS_SECRET_VARIABLES: '["my.secret"]',
    VSTS_TASKVARIABLE_STATE: 'kept',
    [`ENDPOINT_URL_${key}`]: 'http://registry.test',
    [`ENDPOINT_AUTH_${key}`]: '{"parameters":{"user name":"me","password":"p"},"scheme":"UsernamePassword"}',
    [`ENDPOINT_AUTH_SCHEME_${key}`]: 'UsernamePassword',
    [`ENDPOINT_AUTH_PARAMETER_${key}_USER_NAME`]: 'me',
    [`ENDPOINT_AUTH_PARAMETER_${key}_PASSWORD`]: 'p',
    [`ENDPOINT_DATA_${key}`]: '{"registrytype":"Others"}',
    [`ENDPOINT_DATA_${key}_REGISTRYTYPE`]: 'Others',
    ENDPOINT_URL_SYSTEMVSSCONNECTION: 'https://service/',
    ENDPOINT_AUTH_SYSTEMVSSCONNECTION: '{"parameters":{"AccessToken":"token"},"scheme":"OAuth"}',
    ENDPOINT_AUTH_SCHEME_SYSTEMVSSCONNECTION: 'OAuth',
    ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN: 'token',
  };

  it('is exactly the contract', () => {
    assert.deepEqual(environment, expected);
  });

  it('has nothing of an agent, npm or this process around the run', () => {
    const around = {
      PATH: '/bin',
      INPUT_X: '1',
      SECRET_Y: '2',
      SYSTEM_ACCESSTOKEN: '3',
      NODE_OPTIONS: '--x',
      npm_config_z: '4',
    };
    assert.deepEqual(machineEnvironment(around), { PATH: '/bin' });
  });
});

describe('the handler of a task', () => {
  const both = { ...definition, execution: { Node20_1: { target: 'a.js' }, Node24: { target: 'b.js' } } };
  it('is the one for the Node at hand, else the newest that is older', () => {
    assert.equal(chooseHandler(both, 'execution', 20)?.name, 'Node20_1');
    assert.equal(chooseHandler(both, 'execution', 22)?.name, 'Node20_1');
    assert.equal(chooseHandler(both, 'execution', 24)?.name, 'Node24');
    assert.equal(chooseHandler(both, 'postjobexecution', 24), undefined);
  });
});

describe('the file of service connections', () => {
  const good = JSON.stringify({ connections: [connection] });
  it('is read strictly', () => {
    assert.deepEqual(parseConnections(good, 'c.json'), [connection]);
  });

  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['text that is not JSON', '{ "pass": "hunter2" ', /c\.json: this is not JSON/],
    ['no list', '{}', /'connections' must be a list/],
    ['an unknown key', good.replace('"scheme"', '"shceme"'), /connection 1: 'shceme' is not a key/],
    ['an id that is no GUID', good.replace(connection.id, 'x'), /'id' must be a GUID/],
    ['a relative URL', good.replace('http://registry.test', 'registry'), /'url' must be an absolute URL/],
    ['a number among the parameters', good.replace('"p"', '7'), /parameters: 'password' must be a text/],
    [
      'two of one name',
      JSON.stringify({ connections: [connection, connection] }),
      /two connections have the name/,
    ],
  ];
  for (const [what, text, message] of wrong)
    it(`is refused for ${what}, and no value of it is quoted`, () => {
      assert.throws(
        () => parseConnections(text, 'c.json'),
        (error: Error) => message.test(error.message) && !error.message.includes('hunter2'),
      );
    });
});
