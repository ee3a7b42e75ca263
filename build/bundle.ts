import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import { repositoryRoot } from '../local/lib/context.ts';
import { packagedTaskFolder, tasksFolder } from './layout.ts';

/**
 * Packages that a run needs late or not at all, and never at its start: in files of their own, because V8 reads a
 * file as a whole before its first line runs. No class of one is compared with that of another.
 */
const lateLoaded = ['@aws-sdk/client-s3', '@azure/identity', '@azure/storage-blob'] as const;

/** What lies in another package's file, because both are made of the same parts, by the names that are used of it. */
const lateBeside: Readonly<Record<string, { readonly host: string; readonly names: readonly string[] }>> = {
  '@aws-sdk/client-sts': {
    host: '@aws-sdk/client-s3',
    names: ['STSClient', 'AssumeRoleCommand', 'AssumeRoleWithWebIdentityCommand'],
  },
};

/** The file beside the task's own that has the package. */
function lateFile(name: string): string {
  return `${name.replace(/^@/, '').replace('/', '-')}.js`;
}

/** All that the file of a package exports. */
function lateContents(name: string): string {
  const guests = Object.entries(lateBeside).filter(([, { host }]) => host === name);
  const exports = guests.map(([guest, { names }]) => `export { ${names.join(', ')} } from '${guest}';`);
  return [`export * from '${name}';`, ...exports].join('\n');
}

/** The extension's version: what its requests say of themselves. */
const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
  readonly version: string;
};

const common = {
  absWorkingDir: repositoryRoot,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  minify: true,
  // Stack traces name our functions; the few kilobytes are worth it at 3 a.m.
  keepNames: true,
  legalComments: 'none',
  // Packages made for ES modules ask where they are; CommonJS has no import.meta.
  define: {
    'import.meta.url': 'bundleUrl',
    'process.env.MODEL_DELIVERY_VERSION': JSON.stringify(version),
    // Which Node runs a task is the agent's matter; a warning in every log helps nobody.
    'process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED': '"true"',
  },
  banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
  // What is in another file is required, as everything else is.
  supported: { 'dynamic-import': false },
  metafile: true,
  logLevel: 'error',
} as const satisfies BuildOptions;

/** Leaves these packages to files of their own, and notes which of them the bundle asks for. */
function leaveOut(asked: Set<string>): Plugin {
  const filter = new RegExp(`^(${[...lateLoaded, ...Object.keys(lateBeside)].join('|')})$`);
  return {
    name: 'late-loaded',
    setup({ onResolve }) {
      onResolve({ filter }, ({ path }) => {
        const file = lateBeside[path]?.host ?? path;
        asked.add(file);
        return { path: `./${lateFile(file)}`, external: true };
      });
    },
  };
}

async function bundleLate(name: string, folder: string): Promise<Metafile> {
  const stdin = { contents: lateContents(name), resolveDir: repositoryRoot };
  return (await build({ ...common, stdin, outfile: join(folder, lateFile(name)) })).metafile;
}

function joined(metafiles: readonly Metafile[]): Metafile {
  return {
    inputs: Object.assign({}, ...metafiles.map(({ inputs }) => inputs)),
    outputs: Object.assign({}, ...metafiles.map(({ outputs }) => outputs)),
  };
}

/**
 * CommonJS files for a task: what the agent starts, the task, and the packages it loads late. Modules of the task
 * that a run does not need are loaded late too: esbuild keeps each `import()`ed one behind a function that runs at
 * first use. https://nodejs.org/docs/latest-v24.x/api/module.html#moduleenablecompilecacheoptions
 */
export async function bundleTask(name: string): Promise<Metafile> {
  const folder = packagedTaskFolder(name);
  mkdirSync(folder, { recursive: true });
  const asked = new Set<string>();
  const entryPoints = [join(tasksFolder, name, 'index.ts')];
  const outfile = join(folder, 'task.js');
  const { metafile } = await build({ ...common, entryPoints, outfile, plugins: [leaveOut(asked)] });
  const late = await Promise.all([...asked].sort().map((one) => bundleLate(one, folder)));
  copyFileSync(join(repositoryRoot, 'build/start.cjs'), join(folder, 'index.js'));
  // Whatever package.json lies above the agent's work folder, the bundle is CommonJS.
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
  copyFileSync(join(tasksFolder, name, 'task.json'), join(folder, 'task.json'));
  copyFileSync(join(tasksFolder, name, 'icon.png'), join(folder, 'icon.png'));
  // azure-pipelines-task-lib reads its messages from beside the running file.
  copyFileSync(
    join(repositoryRoot, 'node_modules/azure-pipelines-task-lib/lib.json'),
    join(folder, 'lib.json'),
  );
  return joined([metafile, ...late]);
}
