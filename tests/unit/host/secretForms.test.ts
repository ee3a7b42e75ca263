import assert from 'node:assert/strict';
import fc from 'fast-check';
import { secretForms } from '../../../src/host/secretForms.ts';

function masked(text: string, forms: readonly string[]): string {
  return forms.reduce((rest, form) => rest.replaceAll(form, '***'), text);
}

describe('the forms of a secret', () => {
  it('are its lines, and the whole as a URL, JSON and base64 carry it', () => {
    const forms = secretForms('p/w"ö\nsecond line');
    for (const form of ['p/w"ö', 'second line', 'p%2Fw%22%C3%B6%0Asecond%20line', 'p/w\\"ö\\nsecond line']) {
      assert.ok(forms.includes(form), form);
    }
    assert.ok(forms.includes(Buffer.from('p/w"ö\nsecond line').toString('base64')));
    assert.deepEqual(secretForms('abc'), [], 'what is too short would mask everything');
  });

  it('are those of a form, of small hexadecimal digits and of a token too', () => {
    const secret = 'Ab8Q~x/y?z>+ü';
    const forms = secretForms(secret);
    const inForm = 'Ab8Q%7Ex%2Fy%3Fz%3E%2B%C3%BC';
    for (const form of [inForm, inForm.replace(/%../g, (byte) => byte.toLowerCase())]) {
      assert.ok(forms.includes(form), form);
    }
    assert.ok(forms.includes(Buffer.from(secret).toString('base64url')));
  });

  it('hide it within longer base64, as in a Basic header, wherever it begins', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[!-~]{12,40}$/),
        fc.stringMatching(/^[a-z]{0,6}$/),
        fc.stringMatching(/^[a-z]{0,6}$/),
        (secret, before, after) => {
          const text = masked(Buffer.from(before + secret + after).toString('base64'), secretForms(secret));
          assert.ok(text.includes('***'));
          assert.ok(!Buffer.from(text, 'base64').toString('latin1').includes(secret));
        },
      ),
    );
  });
});
