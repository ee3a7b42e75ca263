import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { repositoryRoot } from '../../local/lib/context.ts';

/** Which rooms a room may import from; a room not named here may import from none but itself. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  src: [],
  tab: ['src'],
  tasks: ['src'],
  local: ['src', 'build'],
  build: ['src', 'tasks', 'local'],
  bench: ['src', 'local', 'build', 'tests'],
  tests: ['src', 'tasks', 'local', 'build', 'bench', 'tab'],
};

/** Only the host's adapter may know the agent's library; only these rooms know these SDKs. */
const owners: Readonly<Record<string, string>> = {
  'azure-pipelines-task-lib': 'src/host/azure.ts',
  '@azure/storage-blob': 'src/model/',
  '@azure/identity': 'src/azure/',
  '@aws-sdk/client-s3': 'src/model/s3/',
  '@aws-sdk/client-sts': 'src/model/s3/',
};

interface Import {
  readonly file: string;
  readonly specifier: string;
}

function sourceFiles(room: string): string[] {
  return readdirSync(join(repositoryRoot, room), { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && /\.m?ts$/.test(entry.name) && !entry.parentPath.includes('node_modules'),
    )
    .map((entry) => relative(repositoryRoot, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(repositoryRoot, file), 'utf8');
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s*'([^']+)'|import\(\s*'([^']+)'\s*\)|(?:^|\n)import\s+'([^']+)'/g;
  return [...text.matchAll(pattern)].map((match) => ({
    file,
    specifier: match[1] ?? match[2] ?? match[3] ?? '',
  }));
}

function targetOf({ file, specifier }: Import): string {
  const target = relative(repositoryRoot, resolve(join(repositoryRoot, dirname(file)), specifier));
  return target.split(sep).join('/');
}

const rooms = Object.keys(allowed).filter((room) => readdirSync(repositoryRoot).includes(room));
const imports = rooms.flatMap(sourceFiles).flatMap(importsOf);

describe('rooms of the code', () => {
  it('import only from the rooms they may', () => {
    const wrong = imports
      .filter(({ specifier }) => specifier.startsWith('.'))
      .filter((found) => {
        const from = found.file.split('/')[0] ?? '';
        const to = targetOf(found).split('/')[0] ?? '';
        return to !== from && !(allowed[from] ?? []).includes(to);
      });
    assert.ok(imports.length > 100, 'the imports were found');
    assert.deepEqual(wrong, []);
  });

  it('keep each SDK in the one room that owns it', () => {
    const wrong = imports.filter(({ file, specifier }) => {
      const owned = Object.keys(owners).find(
        (name) => specifier === name || specifier.startsWith(`${name}/`),
      );
      return owned !== undefined && /^(src|tasks)\//.test(file) && !file.startsWith(owners[owned] ?? '');
    });
    assert.deepEqual(wrong, []);
  });

  it('import in one direction: no file leads back to itself, not even by a type', () => {
    const left = new Map<string, string[]>();
    for (const found of imports.filter(({ specifier }) => specifier.startsWith('.'))) {
      left.set(found.file, [...(left.get(found.file) ?? []), targetOf(found)]);
    }
    // What imports nothing that is left, or is imported by nothing, is in no circle: taken away until nothing changes.
    for (let before = -1; before !== left.size; ) {
      before = left.size;
      const imported = new Set([...left.values()].flat());
      const loose = [...left].filter(([file, to]) => !imported.has(file) || !to.some((it) => left.has(it)));
      for (const [file] of loose) left.delete(file);
    }
    assert.deepEqual([...left.keys()], [], 'files of a circle, or between two');
  });

  it('reach a task only through its entry, which only wires', () => {
    for (const name of readdirSync(join(repositoryRoot, 'tasks'))) {
      const entry = readFileSync(join(repositoryRoot, 'tasks', name, 'index.ts'), 'utf8');
      assert.ok(entry.trimEnd().split('\n').length <= 10, `tasks/${name}/index.ts has at most ten lines`);
    }
  });

  it('read an input only where it is declared, and the environment only at the edge', () => {
    const offenders = [...sourceFiles('tasks'), ...sourceFiles('src')]
      .filter((file) => !file.startsWith('src/host/'))
      .filter((file) =>
        /\bhost\.input\(|process\.env\b/.test(readFileSync(join(repositoryRoot, file), 'utf8')),
      );
    assert.deepEqual(offenders, []);
  });
});
