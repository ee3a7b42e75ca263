import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createMasker } from '../../../local/agent/secrets.ts';
import { createVariables, environmentName, expandMacros } from '../../../local/agent/variables.ts';

describe('macros', () => {
  it('replace $(name) and leave what is not known as it stands', () => {
    const expanded = expandMacros('$(a) $(b) $(date +%s) $() $(a', (name) =>
      name === 'a' ? '1' : undefined,
    );
    assert.equal(expanded, '1 $(b) $(date +%s) $() $(a');
  });

  it('are not searched for in a value that was put in', () => {
    assert.equal(
      expandMacros('$(a)', () => '$(a)'),
      '$(a)',
    );
  });

  it('are found inside an unknown one', () => {
    assert.equal(
      expandMacros('$(x$(a))', (name) => (name === 'a' ? '1' : undefined)),
      '$(x1)',
    );
  });

  it('change no text when no variable is known', () => {
    fc.assert(
      fc.property(fc.string(), (text) =>
        assert.equal(
          expandMacros(text, () => undefined),
          text,
        ),
      ),
    );
  });
});

describe('the variables of a job', () => {
  it('are found in any case, and expand the variables in their values', () => {
    const variables = createVariables(createMasker());
    variables.set('Name', 'world');
    variables.set('greeting', 'hello $(NAME)');
    assert.equal(variables.get('GREETING'), 'hello world');
    assert.equal(variables.expand('[$(greeting)]'), '[hello world]');
  });

  it('leave a circle alone', () => {
    const variables = createVariables(createMasker());
    variables.set('a', '$(b)');
    variables.set('b', '$(a)');
    assert.equal(variables.get('a'), '$(a)');
  });

  it('are secret when a secret is in their value, and the whole value is masked', () => {
    const masker = createMasker();
    const variables = createVariables(masker);
    variables.set('password', 'hunter2', { secret: true });
    variables.set('url', 'https://me:$(password)@host');
    const url = variables.list().find(({ name }) => name === 'url');
    assert.equal(url?.secret, true);
    assert.equal(masker.mask('get https://me:hunter2@host now'), 'get *** now');
  });

  it('stay secret and read-only when they are set again', () => {
    const masker = createMasker();
    const variables = createVariables(masker);
    variables.set('a', 'first-value', { secret: true, readOnly: true });
    variables.set('A', 'second-value');
    assert.equal(variables.list()[0]?.secret, true);
    assert.equal(variables.isReadOnly('a'), true);
    assert.equal(masker.mask('second-value'), '***');
  });

  it('become environment names as the agent makes them', () => {
    assert.equal(environmentName('Build.Source Version'), 'BUILD_SOURCE_VERSION');
    assert.equal(environmentName('my-var'), 'MY-VAR');
  });
});
