import assert from 'node:assert/strict';
import { parsePipeline } from '../../../local/agent/yaml/pipeline.ts';
import { DeliveryError } from '../../../src/errors.ts';

function parse(text: string, given: Record<string, string> = {}) {
  return parsePipeline(text, 'p.yml', given);
}

function problem(text: string): DeliveryError {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof DeliveryError);
    return error;
  }
  throw new assert.AssertionError({ message: 'the pipeline was accepted' });
}

describe('a pipeline’s YAML', () => {
  it('may have its steps at the top', () => {
    const [stage] = parse('trigger: none\npool: x\nsteps:\n- script: a\n- bash: b').stages;
    assert.deepEqual(
      stage?.jobs.map(({ name, steps }) => [name, steps.length]),
      [['Job', 2]],
    );
  });

  it('may have its jobs at the top, which depend on nothing unless they say so', () => {
    const [stage] = parse(
      'jobs:\n- job: A\n  steps: []\n- job: B\n  dependsOn: A\n  steps: []\n- job: C\n  steps: []',
    ).stages;
    assert.deepEqual(
      stage?.jobs.map(({ dependsOn }) => dependsOn),
      [[], ['A'], []],
    );
  });

  it('has stages that depend on the one before, unless they say otherwise', () => {
    const jobs = 'jobs: [{ job: J, steps: [] }]';
    const { stages } = parse(
      `stages:\n- stage: A\n  ${jobs}\n- stage: B\n  ${jobs}\n- stage: C\n  dependsOn: []\n  ${jobs}`,
    );
    assert.deepEqual(
      stages.map(({ dependsOn }) => dependsOn),
      [[], ['A'], []],
    );
  });

  it('has variables as a map or as a list', () => {
    const map = parse('variables: { a: 1.0, b: true }\nsteps: []').variables;
    assert.deepEqual(
      map.map(({ name, value }) => [name, value]),
      [
        ['a', '1.0'],
        ['b', 'true'],
      ],
    );
    const list = parse('variables:\n- name: a\n  value: x\n  readonly: true\n- group: g\nsteps: []');
    assert.deepEqual(
      list.variables.map(({ name, readOnly }) => [name, readOnly]),
      [['a', true]],
    );
    assert.match(list.notes.join(), /group 'g'/);
  });

  it('reads parameters by their type, their default or the value given', () => {
    const text = `parameters:\n- name: n\n  type: number\n  default: 3\n- name: s\n  default: a\n  values: [a, b]\nsteps:\n- script: \${{ parameters.n }}\${{ parameters.s }}`;
    const script = (given: Record<string, string>): unknown =>
      parse(text, given).stages[0]?.jobs[0]?.steps[0];
    assert.match(JSON.stringify(script({})), /"script":"3a"/);
    assert.match(JSON.stringify(script({ s: 'b', n: '4' })), /"script":"4b"/);
    assert.throws(() => parse(text, { s: 'c' }), /Parameter 's' is 'c'/);
    assert.throws(() => parse(text, { n: 'x' }), /not a number/);
    assert.throws(() => parse(text, { q: 'x' }), /no parameter 'q'/);
  });

  it(`expands \${{ variables.x }} by the innermost scope`, () => {
    const text = [
      'variables: { a: root, b: root }',
      'stages:',
      '- stage: S',
      '  variables: { a: stage }',
      '  jobs:',
      '  - job: J',
      `    variables: { c: "\${{ variables.a }}-\${{ variables['b'] }}" }`,
      `    steps: [ { script: "\${{ variables.c }}" } ]`,
    ].join('\n');
    assert.match(JSON.stringify(parse(text).stages[0]?.jobs[0]?.steps), /"script":"stage-root"/);
  });

  it('writes publish and download as the tasks that they stand for', () => {
    const text =
      'resources: { pipelines: [ { pipeline: ci, source: main-ci } ] }\nsteps:\n- publish: out\n  artifact: a\n- download: ci\n  artifact: a\n- download: none';
    const pipeline = parse(text);
    const steps = pipeline.stages[0]?.jobs[0]?.steps ?? [];
    assert.deepEqual(
      steps.map((step) => (step.kind === 'task' ? [step.reference, step.inputs] : step.kind)),
      [
        ['PublishPipelineArtifact@1', { targetPath: 'out', artifact: 'a' }],
        [
          'DownloadPipelineArtifact@2',
          { source: 'ci', artifact: 'a', itemPattern: '', path: '$(Pipeline.Workspace)/ci/a' },
        ],
        'noDownload',
      ],
    );
    assert.deepEqual(
      pipeline.pipelineResources.map(({ alias, source }) => [alias, source]),
      [['ci', 'main-ci']],
    );
  });

  it('reads the runOnce strategy of a deployment job', () => {
    const text =
      'jobs:\n- deployment: D\n  environment: { name: prod }\n  strategy: { runOnce: { preDeploy: { steps: [ { script: a } ] }, deploy: { steps: [ { script: b } ] } } }';
    const job = parse(text).stages[0]?.jobs[0];
    assert.deepEqual([job?.kind, job?.environment, job?.steps.length], ['deployment', 'prod', 2]);
  });

  const wrong: readonly (readonly [what: string, text: string, message: RegExp, remedy: RegExp])[] = [
    ['bad YAML', 'steps:\n- script: "a', /^p\.yml:2:/, /indentation/],
    [
      'an unknown key of a step',
      'steps:\n- script: a\n  displayname: x',
      /^p\.yml:3:3: 'displayname' is not a key of a 'script' step/,
      /'displayName'/,
    ],
    ['an unknown step', 'steps:\n- scrip: a', /^p\.yml:2:3: 'scrip' does not begin a step/, /script/],
    ['an unknown key at the top', 'step:\n- script: a', /^p\.yml:1:1: 'step'/, /'steps'/],
    ['an unknown key of a job', 'jobs:\n- job: A\n  step: []', /^p\.yml:3:3: 'step'/, /'steps'/],
    ['a template', 'steps:\n- template: x.yml', /^p\.yml:2:3: .*step templates/, /script/],
    [
      'a template directive',
      `steps:\n- \${{ if true }}:\n  - script: a`,
      /^p\.yml:2:3: .*template directives/,
      /script/,
    ],
    [
      'a matrix',
      'jobs:\n- job: A\n  strategy: { matrix: { } }\n  steps: []',
      /^p\.yml:3:3: 'strategy'/,
      /Leave/,
    ],
    [
      'a deployment that is not runOnce',
      'jobs:\n- deployment: A\n  strategy: { canary: { } }',
      /runOnce only/,
      /runOnce/,
    ],
    ['an anchor', 'variables: { a: &x 1, b: *x }\nsteps: []', /^p\.yml:1:26: .*aliases/, /Repeat/],
    [
      'a wrong condition',
      'steps:\n- script: a\n  condition: eq(variable.a, 1)',
      /^p\.yml:3:17: .*'variable'/,
      /variables/,
    ],
    [
      'a condition that a step cannot ask',
      'steps:\n- script: a\n  condition: eq(dependencies.A.result, 1)',
      /^p\.yml:3:17: .*'dependencies'/,
      /variables/,
    ],
    [
      `a wrong \${{ }}`,
      `steps:\n- script: a \${{ paramters.x }}`,
      /^p\.yml:2:17: .*'paramters'/,
      /parameters/,
    ],
    ['a wrong $[ ]', 'variables:\n  a: $[ counter(1, 2) ]\nsteps: []', /^p\.yml:2:9: .*'counter'/, /Known/],
    [
      'a job that depends on nothing known',
      'jobs:\n- job: Build\n  steps: []\n- job: B\n  dependsOn: Biuld\n  steps: []',
      /^p\.yml:4:3: .*'Biuld'/,
      /Build/,
    ],
    [
      'a circle',
      'jobs:\n- job: A\n  dependsOn: B\n  steps: []\n- job: B\n  dependsOn: A\n  steps: []',
      /depends on itself/,
      /circle/,
    ],
    [
      'two jobs of one name',
      'jobs:\n- job: A\n  steps: []\n- job: A\n  steps: []',
      /two Jobs named 'A'/,
      /Rename/,
    ],
    ['another repository', 'steps:\n- checkout: tools', /^p\.yml:2:3: .*'tools'/, /self/],
    [
      'a flag that is neither true nor false',
      'steps:\n- script: a\n  enabled: maybe',
      /^p\.yml:3:12: 'enabled' is 'maybe'/,
      /true/,
    ],
    ['nothing to run', 'trigger: none', /nothing to run/, /steps/],
    ['a file that is a list', '- a', /must be a map/, /indentation/],
  ];
  for (const [what, text, message, remedy] of wrong)
    it(`is refused for ${what}, with the place and a way out`, () => {
      const error = problem(text);
      assert.equal(error.code, 'PIPELINE_INVALID');
      assert.match(error.message, message);
      assert.match(error.remedy, remedy);
    });
});
