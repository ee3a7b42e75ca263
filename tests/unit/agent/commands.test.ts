import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { followCommand } from '../../../local/agent/commands/execute.ts';
import { escapeValue, parseCommand, unescapeValue } from '../../../local/agent/commands/parse.ts';
import type { CommandTarget } from '../../../local/agent/commands/target.ts';
import { createMasker } from '../../../local/agent/secrets.ts';
import { createVariables } from '../../../local/agent/variables.ts';
import { withFolder } from '../../support/folder.ts';

interface Said {
  readonly target: CommandTarget;
  readonly events: string[];
}

function recordingTarget(more: Partial<CommandTarget> = {}): Said {
  const events: string[] = [];
  const say = (...parts: unknown[]): void => void events.push(parts.join(' '));
  const masker = createMasker();
  return {
    events,
    target: {
      stepName: 'step',
      variables: createVariables(masker),
      masker,
      restrictions: undefined,
      declaredOutputs: new Set(),
      folder: '/',
      issue: (type, message) => say(type, message),
      debug: (text) => say('debug', text),
      progress: (percent, what) => say('progress', percent, what),
      complete: (result) => say('complete', result),
      output: (name, value, secret) => say('output', name, value, secret),
      taskVariable: (name, value) => say('taskVariable', name, value),
      prependPath: (folder) => say('path', folder),
      attach: (type, name, file) => say('attach', type, name, file),
      publishArtifact: (name, path) => say('artifact', name, path),
      publishTests: (files) => say('tests', ...files),
      tag: (name) => say('tag', name),
      buildNumber: (value) => say('number', value),
      ...more,
    },
  };
}

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);

describe('logging commands', () => {
  it('carry any value and any property there and back', () => {
    fc.assert(
      fc.property(
        word,
        word,
        word,
        fc.string({ minLength: 1 }),
        fc.string(),
        fc.string(),
        (area, event, name, value, data, before) => {
          fc.pre(!before.includes('##vso['));
          const line = `${before}##vso[${area}.${event} ${name}=${escapeValue(value)};]${escapeValue(data)}`;
          const command = parseCommand(line);
          assert.equal(command?.area, area);
          assert.equal(command.event, event);
          assert.equal(command.properties.get(name), value);
          assert.equal(command.data, data);
        },
      ),
    );
  });

  it('are escaped without a character that would end a command or a line', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        assert.doesNotMatch(escapeValue(value), /[;\]\r\n]/);
        assert.equal(unescapeValue(escapeValue(value)), value);
      }),
    );
  });

  it('are found anywhere in a line, names in any case', () => {
    const command = parseCommand('10:00 >> ##vso[Task.SetVariable Variable=a;isOutput=true]b=c');
    assert.equal(`${command?.area}.${command?.event}`, 'task.setvariable');
    assert.deepEqual(
      [...(command?.properties ?? [])],
      [
        ['variable', 'a'],
        ['isoutput', 'true'],
      ],
    );
    assert.equal(command?.data, 'b=c');
  });

  it('keep the equals signs of a property value', () => {
    assert.equal(parseCommand('##vso[a.b k=x=y==]')?.properties.get('k'), 'x=y==');
  });

  for (const line of ['plain text', '##vso[task.debug', '##vso[task]x', '##vso[a.b.c]x', '##[error]x'])
    it(`are not seen in '${line}'`, () => {
      assert.equal(parseCommand(line), undefined);
    });
});

describe('a logging command that is followed', () => {
  it('sets an output variable under the step’s name only', () => {
    const { target, events } = recordingTarget();
    assert.equal(followCommand('##vso[task.setvariable variable=digest;isOutput=true]abc', target), true);
    assert.deepEqual(events, ['output digest abc false']);
    assert.equal(target.variables.get('step.digest'), 'abc');
    assert.equal(target.variables.get('digest'), undefined);
  });

  it('sets what task.json declares as an output without isOutput', () => {
    const { target } = recordingTarget({ declaredOutputs: new Set(['digest']) });
    followCommand('##vso[task.setvariable variable=Digest]abc', target);
    assert.equal(target.variables.get('step.digest'), 'abc');
  });

  it('masks a secret variable from then on', () => {
    const { target } = recordingTarget();
    followCommand('##vso[task.setvariable variable=pw;issecret=true]hunter2', target);
    assert.equal(target.masker.mask('pw=hunter2.'), 'pw=***.');
    assert.equal(target.variables.list().find(({ name }) => name === 'pw')?.secret, true);
  });

  it('fails the step for a secret variable of several lines', () => {
    const { target, events } = recordingTarget();
    followCommand('##vso[task.setvariable variable=pw;issecret=true]one%0Atwo', target);
    assert.equal(events.at(-1), 'complete Failed');
    assert.equal(target.variables.get('pw'), undefined);
  });

  it('sets only variables that settableVariables allows', () => {
    const restrictions = { settableVariables: { allowed: ['model*'] } };
    const { target, events } = recordingTarget({ restrictions });
    followCommand('##vso[task.setvariable variable=modelPath]x', target);
    followCommand('##vso[task.setvariable variable=PATH]x', target);
    followCommand('##vso[task.prependpath]/evil', target);
    assert.equal(target.variables.get('modelPath'), 'x');
    assert.equal(target.variables.get('PATH'), undefined);
    assert.equal(events.length, 2);
    assert.ok(events.every((event) => event.startsWith('warning')));
  });

  it('does not attach in restricted mode, and says so', () => {
    const { target, events } = recordingTarget({ restrictions: { commands: { mode: 'restricted' } } });
    followCommand('##vso[task.uploadsummary]/etc/hostname', target);
    assert.match(events.join(), /^warning .*not allowed/);
  });

  it('warns of a read-only variable and overwrites it', () => {
    const { target, events } = recordingTarget();
    followCommand('##vso[task.setvariable variable=a;isreadonly=true]1', target);
    followCommand('##vso[task.setvariable variable=a]2', target);
    assert.match(events.join(), /^warning .*read-only/);
    assert.equal(target.variables.get('a'), '2');
  });

  it('limits progress to 0 … 100', () => {
    const { target, events } = recordingTarget();
    for (const value of ['-3', '55', '900', 'x'])
      followCommand(`##vso[task.setprogress value=${value}]w`, target);
    assert.deepEqual(events, ['progress 0 w', 'progress 55 w', 'progress 100 w', 'progress 0 w']);
  });

  it('attaches a file, and refuses one that is not there or a name that is a path', async () => {
    await withFolder(async (folder) => {
      await mkdir(join(folder, 'out'));
      await writeFile(join(folder, 'out', 'a.md'), '# a');
      const { target, events } = recordingTarget({ folder });
      followCommand('##vso[task.uploadsummary]out/a.md', target);
      followCommand('##vso[task.addattachment type=t;name=n]out/a.md', target);
      followCommand('##vso[task.addattachment type=t;name=../n]out/a.md', target);
      followCommand('##vso[task.uploadfile]out/missing', target);
      const file = join(folder, 'out', 'a.md');
      assert.equal(events[0], `attach Distributedtask.Core.Summary a.md ${file}`);
      assert.equal(events[1], `attach t n ${file}`);
      assert.deepEqual(
        events.slice(2).filter((event) => event.startsWith('complete')),
        ['complete Failed', 'complete Failed'],
      );
    });
  });

  it('follows artifact, build and results commands', () => {
    const { target, events } = recordingTarget();
    followCommand('##vso[artifact.upload artifactname=drop]/a/b', target);
    followCommand('##vso[build.addbuildtag]gold', target);
    followCommand('##vso[build.updatebuildnumber]1.2', target);
    followCommand('##vso[results.publish type=JUnit;resultFiles=/a.xml,/b.xml]', target);
    assert.deepEqual(events, ['artifact drop /a/b', 'tag gold', 'number 1.2', 'tests /a.xml /b.xml']);
  });

  it('places an issue in its source', () => {
    const { target, events } = recordingTarget();
    followCommand('##vso[task.logissue type=error;sourcepath=a.py;linenumber=3]bad', target);
    assert.deepEqual(events, ['error a.py:3: bad']);
  });

  it('only warns of an unknown area, and fails for an unknown command of a known one', () => {
    const { target, events } = recordingTarget();
    assert.equal(followCommand('##vso[codecoverage.publish]x', target), true);
    assert.match(events.join(), /^warning /);
    followCommand('##vso[task.frobnicate]x', target);
    assert.equal(events.at(-1), 'complete Failed');
  });

  it('leaves text with a broken ##vso in the log, with a warning', () => {
    const { target, events } = recordingTarget();
    assert.equal(followCommand('##vso is how commands begin', target), false);
    assert.match(events.join(), /^warning /);
  });
});
