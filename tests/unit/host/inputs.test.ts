import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import {
  choice,
  flag,
  integer,
  lines,
  path,
  readInputs,
  required,
  text,
  textOr,
} from '../../../src/host/inputs.ts';
import { recordingHost } from '../../support/host.ts';

const workingFolder = resolve('/agent/s');

function read<F extends Parameters<typeof readInputs>[1]>(fields: F, inputs: Record<string, string>) {
  return readInputs(recordingHost({ inputs, workingFolder }).host, fields);
}

describe('task inputs', () => {
  it('take their defaults where the user wrote nothing', () => {
    const fields = {
      a: text(),
      b: textOr('b'),
      c: lines('one\ntwo'),
      d: flag(true),
      e: choice(['x', 'y'], 'y'),
      f: integer({ min: 1, max: 9, defaultValue: 5, unit: 'seconds' }),
      g: path(),
    };
    assert.deepEqual(read(fields, {}), {
      a: undefined,
      b: 'b',
      c: ['one', 'two'],
      d: true,
      e: 'y',
      f: 5,
      g: undefined,
    });
  });

  it('split lines and drop blank ones, with either line ending', () => {
    assert.deepEqual(read({ c: lines() }, { c: 'one\r\n\r\n  two \n' }), { c: ['one', 'two'] });
  });

  it('accept a choice in any case and answer in its own', () => {
    assert.deepEqual(read({ e: choice(['latestModified', 'exact'], 'exact') }, { e: 'LATESTMODIFIED' }), {
      e: 'latestModified',
    });
  });

  it('refuse an unknown choice and list the allowed ones', () => {
    assert.throws(() => read({ e: choice(['x', 'y'], 'y') }, { e: 'z' }), {
      code: 'INPUT_INVALID',
      remedy: /x, y/,
    });
  });

  for (const value of ['0', '10', '1.5', 'many']) {
    it(`refuse '${value}' for a whole number from 1 to 9`, () => {
      const fields = { f: integer({ min: 1, max: 9, defaultValue: 5, unit: 'replicas' }) };
      assert.throws(() => read(fields, { f: value }), {
        code: 'INPUT_INVALID',
        remedy: /replicas from 1 to 9/,
      });
    });
  }

  it('refuse a flag that is neither true nor false', () => {
    assert.throws(() => read({ d: flag(true) }, { d: 'yes' }), { code: 'INPUT_INVALID' });
  });

  it('root a relative path in the working folder, and take that folder itself for "not given"', () => {
    assert.deepEqual(read({ g: path() }, { g: 'app/model' }), { g: join(workingFolder, 'app', 'model') });
    assert.deepEqual(read({ g: path() }, { g: workingFolder }), { g: undefined });
  });

  it('name the missing input and why it is needed', () => {
    assert.throws(() => required(undefined, 'container', 'to find the model'), {
      code: 'INPUT_MISSING',
      message: /'container'.*to find the model/,
    });
  });
});
