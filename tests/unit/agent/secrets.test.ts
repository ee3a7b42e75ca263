import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createMasker } from '../../../local/agent/secrets.ts';

const secret = fc
  .string({ minLength: 1, maxLength: 12 })
  .filter((text) => text.trim() !== '' && !text.includes('*'));

describe('the secret masker', () => {
  it('leaves no registered value in any text', () => {
    fc.assert(
      fc.property(
        fc.array(secret, { minLength: 1, maxLength: 4 }),
        fc.array(fc.string()),
        (secrets, texts) => {
          const masker = createMasker();
          for (const value of secrets) masker.add(value);
          const text = texts.flatMap((part, index) => [part, secrets[index % secrets.length] ?? '']).join('');
          const masked = masker.mask(text);
          for (const value of secrets) assert.ok(!masked.includes(value), `${value} in ${masked}`);
        },
      ),
    );
  });

  it('leaves text without secrets as it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const masker = createMasker();
        masker.add('\u0001never\u0001');
        assert.equal(masker.mask(text), text);
      }),
    );
  });

  it('hides overlapping and touching values as one', () => {
    const masker = createMasker();
    masker.add('abcd');
    masker.add('cdef');
    masker.add('gh');
    assert.equal(masker.mask('-abcdef-abcdefgh-gh'), '-***-***-***');
  });

  it('hides the forms in which a value is printed: Base64, JSON, URL and command escapes', () => {
    const masker = createMasker();
    const value = 'p"ä\\ss %w;rd';
    masker.add(value);
    const forms = [
      Buffer.from(value).toString('base64'),
      JSON.stringify(value).slice(1, -1),
      encodeURIComponent(value),
      value.replaceAll('%', '%AZP25'),
    ];
    for (const form of forms) assert.equal(masker.mask(`<${form}>`), '<***>');
  });

  it('hides each line of a value of several lines, but no line of mere punctuation', () => {
    const masker = createMasker();
    masker.add('{\n  "key": "one-line"\n}');
    assert.equal(masker.mask('x   "key": "one-line"'), 'x ***');
    assert.equal(masker.mask('if {'), 'if {');
  });

  it('ignores empty and blank values', () => {
    const masker = createMasker();
    masker.add('');
    masker.add('  \n ');
    assert.equal(masker.mask('a  b'), 'a  b');
  });
});
