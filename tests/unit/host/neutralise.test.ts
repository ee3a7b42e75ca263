import assert from 'node:assert/strict';
import fc from 'fast-check';
import { neutralise } from '../../../src/host/neutralise.ts';

describe('text from outside', () => {
  it('cannot carry an agent command, however it is written', () => {
    assert.equal(
      neutralise('x ##vso[task.complete result=Succeeded]'),
      'x # #vso[task.complete result=Succeeded]',
    );
    assert.equal(neutralise('##VSO[a]##[error]b'), '# #VSO[a]# #[error]b');
  });

  it('carries no command after any mixture of its parts', () => {
    const part = fc.constantFrom('#', '##', '##vso[', 'vso', '[', ']', '##[', 'a', ' ', '\n');
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        assert.doesNotMatch(neutralise(parts.join('')), /##(vso)?\[/i);
      }),
    );
  });

  it('is otherwise left as it was', () => {
    assert.equal(neutralise('## Heading\n#vso[x]'), '## Heading\n#vso[x]');
  });
});
