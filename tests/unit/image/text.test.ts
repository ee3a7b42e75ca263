import assert from 'node:assert/strict';
import { splitCommand } from '../../../src/image/command.ts';
import { baseOfDockerfile } from '../../../src/image/docker/dockerfile.ts';
import { layOut } from '../../../src/image/layers/dependencies.ts';
import {
  formatLibc,
  type Libc,
  machineOf,
  markerEnvironment,
  parseLibc,
  platformTags,
  pythonTarget,
} from '../../../src/image/python/target.ts';
import { consoleScripts, scriptText } from '../../../src/image/python/wheel.ts';
import { runLabels } from '../../../src/image/runLabels.ts';
import { applySettings, mergeEnvironment } from '../../../src/image/settings.ts';
import { contentMember } from '../../../src/tar/members.ts';

const amd64 = { os: 'linux', architecture: 'amd64' };

describe('a command line', () => {
  it('is split into words, quotes keeping spaces together', () => {
    assert.deepEqual(splitCommand(`gunicorn --name "my app" 'a "b"' x="1 2"`), [
      'gunicorn',
      '--name',
      'my app',
      'a "b"',
      'x=1 2',
    ]);
    assert.deepEqual(splitCommand('["python", "-c", "print(1)"]'), ['python', '-c', 'print(1)']);
    assert.deepEqual(splitCommand('a ""'), ['a', '']);
  });
});

describe("a Dockerfile's base image", () => {
  it('is that of the last stage, through earlier stages and arguments', () => {
    assert.equal(baseOfDockerfile('FROM python:3.12 AS build\nRUN x\nFROM build', {}), 'python:3.12');
    assert.equal(baseOfDockerfile('FROM a AS x\nFROM --platform=linux/amd64 b:1 AS y', {}), 'b:1');
    const withArgument = 'ARG TAG="3.11"\nARG HOST\nFROM $HOST/python:${TAG}';
    assert.equal(baseOfDockerfile(withArgument, { HOST: 'h.example' }), 'h.example/python:3.11');
    assert.equal(baseOfDockerfile('# FROM no\nfrom \\\n  debian:12', {}), 'debian:12');
    assert.equal(baseOfDockerfile('FROM scratch', {}), undefined);
  });
});

describe('the layer of Python packages', () => {
  const wheelOf = (...names: string[]) => ({
    members: names.map((name) => contentMember(name, Buffer.from(''), false)),
    close: () => undefined,
  });
  const pathsOf = (...names: string[]) => layOut([wheelOf(...names)]).map(({ path }) => path);

  it("tells Python to read the packages' .pth files where there are any", () => {
    assert.ok(pathsOf('a/b.py', 'a.pth').includes('opt/python/sitecustomize.py'));
    assert.equal(pathsOf('a/b.py', 'a/c.pth').includes('opt/python/sitecustomize.py'), false);
    const own = pathsOf('a.pth', 'sitecustomize.py');
    assert.equal(own.filter((path) => path.endsWith('sitecustomize.py')).length, 1);
  });
});

describe('the Python of an image', () => {
  const config = (Env: readonly string[]) => ({
    ...amd64,
    rootfs: { type: 'layers' as const, diff_ids: [] },
    config: { Env },
  });

  it('is what the base image says, unless the input does', () => {
    const base = { name: 'docker.io/library/python:3.12-slim', config: config(['PYTHON_VERSION=3.12.4']) };
    assert.deepEqual(pythonTarget(base, amd64, {}), {
      platform: amd64,
      version: '3.12',
      libc: { name: 'glibc', minor: 28 },
    });
    assert.equal(pythonTarget(base, amd64, { version: '3.11.9' }).version, '3.11');
    const libcOf = (name: string, libc?: Libc): string =>
      formatLibc(pythonTarget({ ...base, name }, amd64, { libc }).libc);
    assert.equal(libcOf('python:3.12-alpine'), 'musl 1.2');
    assert.equal(libcOf('python:3.12-slim-bookworm'), 'glibc 2.36');
    assert.equal(libcOf('ubuntu:24.04'), 'glibc 2.39');
    assert.equal(libcOf('python:3.12-alpine', parseLibc('glibc 2.17')), 'glibc 2.17');
    assert.deepEqual(['musl', 'glibc-2.31', 'GLIBC 2.5', 'glibc 3.1', 'uclibc 1'].map(parseLibc), [
      { name: 'musl', minor: 2 },
      { name: 'glibc', minor: 31 },
      { name: 'glibc', minor: 5 },
      undefined,
      undefined,
    ]);
    assert.throws(() => pythonTarget({ name: 'debian', config: config([]) }, amd64, {}), {
      code: 'PYTHON_VERSION_UNKNOWN',
    });
  });

  it('takes wheels of its platform and libc, newest first', () => {
    const target = { platform: amd64, version: '3.12', libc: { name: 'glibc', minor: 28 } as const };
    const tags = platformTags(target);
    assert.equal(tags[0], 'manylinux_2_28_x86_64');
    assert.ok(tags.includes('manylinux2014_x86_64') && tags.includes('linux_x86_64'));
    assert.deepEqual(platformTags({ ...target, libc: { name: 'musl', minor: 2 } }), [
      'musllinux_1_2_x86_64',
      'musllinux_1_1_x86_64',
    ]);
    const old = platformTags({ ...target, libc: { name: 'glibc', minor: 12 } });
    assert.equal(old[0], 'manylinux_2_12_x86_64');
    assert.equal(old.includes('manylinux2014_x86_64'), false);
    assert.equal(markerEnvironment(target)['python_version'], '3.12');
    assert.equal(machineOf({ os: 'linux', architecture: 'arm64' }), 'aarch64');
    assert.throws(() => machineOf({ os: 'windows', architecture: 'amd64' }), {
      code: 'PLATFORM_UNSUPPORTED',
    });
  });

  it('gets the commands that packages declare', () => {
    const text =
      '[console_scripts]\ngunicorn = gunicorn.app.wsgiapp:run\n# no\nother=a.b : c.d [extra]\n\n[plugins]\nx = y:z\n';
    assert.deepEqual(
      [...consoleScripts(text)],
      [
        ['gunicorn', 'gunicorn.app.wsgiapp:run'],
        ['other', 'a.b:c.d'],
      ],
    );
    assert.match(
      scriptText('a.b:c.d'),
      /^#!\/usr\/bin\/env python3\nimport sys\nfrom a\.b import c\n[\s\S]*sys\.exit\(c\.d\(\)\)/,
    );
  });
});

describe("an image's settings", () => {
  it('replace and add variables, the rest stays in its order', () => {
    assert.deepEqual(mergeEnvironment(['A=1', 'PATH=/bin', 'B=2'], { B: '3', C: 'x=y' }), [
      'A=1',
      'PATH=/bin',
      'B=3',
      'C=x=y',
    ]);
  });

  it('leave what they do not name as the base image has it', () => {
    const base = { Cmd: ['python3'], User: 'app', Labels: { a: '1' }, ExposedPorts: { '80/tcp': {} } };
    const config = applySettings(base, { environment: {}, labels: { b: '2' }, port: 8080 }, {});
    assert.deepEqual(config, {
      ...base,
      Env: [],
      Labels: { a: '1', b: '2' },
      ExposedPorts: { '80/tcp': {}, '8080/tcp': {} },
    });
  });

  it('never carry the credentials of a repository address into a label', () => {
    const labels = runLabels((name) =>
      name === 'Build.Repository.Uri' ? 'https://me:token@git.example/r' : undefined,
    );
    assert.deepEqual(new Set(Object.values(labels)), new Set(['https://git.example/r']));
  });
});
