import assert from 'node:assert/strict';
import fc from 'fast-check';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { provenance } from '../../../src/image/referrers/provenance.ts';
import { billOfMaterials } from '../../../src/image/referrers/sbom.ts';
import { logLines } from '../../../src/image/trial/logLines.ts';
import { checkTrial, junit } from '../../../src/image/trial/results.ts';

function piece(stream: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

describe("a test's results", () => {
  it('are XML whatever the application answers', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (name, problem) => {
        const one = { name, request: 'GET /', seconds: 0.1, problems: [problem] };
        const text = junit('suite', { cases: [one], readySeconds: 1, logs: [problem] });
        assert.equal(XMLValidator.validate(text), true);
      }),
    );
  });

  it('keep names and problems as they are', () => {
    const problem = '$.label is "<cat>", expected "dog & co"';
    const one = { name: 'a "quoted" name', request: 'POST /score', seconds: 0, problems: [problem] };
    const text = junit('suite', { cases: [one], readySeconds: 1, logs: [] });
    const { testsuites } = new XMLParser({ ignoreAttributes: false }).parse(text);
    assert.equal(testsuites.testsuite.testcase['@_name'], one.name);
    assert.equal(testsuites.testsuite.testcase.failure['@_message'], problem);
    assert.throws(() => checkTrial({ cases: [one], readySeconds: 1, logs: [] }), { code: 'TEST_FAILED' });
  });
});

describe("a container's output", () => {
  it('is put together from its streams, a line cut by a piece included', () => {
    const output = Buffer.concat([piece(1, 'loading '), piece(1, 'the model\n'), piece(2, 'warning\r\n\n')]);
    assert.deepEqual(logLines(output), ['loading the model', 'warning']);
  });

  it('may end in the middle of a piece', () => {
    assert.deepEqual(logLines(piece(1, 'complete\nhalf').subarray(0, 19)), ['complete', 'ha']);
    assert.deepEqual(logLines(Buffer.alloc(3)), []);
  });
});

describe('documents about an image', () => {
  const subject = {
    descriptor: { mediaType: 'application/json', digest: `sha256:${'a'.repeat(64)}`, size: 10 },
    name: 'registry.example:5000/team/scoring',
    created: '2026-01-01T00:00:00.000Z',
    bases: [],
    packages: [{ name: 'flask', version: '3.0.3+local', sha256: 'b'.repeat(64) }],
  };
  const definition = { inputs: { platform: 'linux/amd64' }, variable: () => undefined };

  it('are the same for the same image', () => {
    assert.equal(billOfMaterials(subject).content, billOfMaterials({ ...subject }).content);
    assert.equal(provenance(subject, definition).content, provenance({ ...subject }, definition).content);
  });

  it('have another number for another image', () => {
    const other = { ...subject.descriptor, digest: `sha256:${'c'.repeat(64)}` };
    const numbers = [subject, { ...subject, descriptor: other }].map(
      (one) => JSON.parse(billOfMaterials(one).content).serialNumber,
    );
    assert.match(numbers[0], /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.notEqual(numbers[0], numbers[1]);
  });

  it('say no more about the run than is known', () => {
    const { predicate } = JSON.parse(provenance(subject, definition).content);
    assert.equal('invocationId' in predicate.runDetails.metadata, false);
    assert.deepEqual(
      predicate.buildDefinition.resolvedDependencies.map((one: { uri: string }) => one.uri),
      ['pkg:pypi/flask@3.0.3%2Blocal'],
    );
  });
});
