import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';
import { repositoryRoot } from '../local/lib/context.ts';
import { packagedTaskFolder, tasksFolder } from './layout.ts';

/**
 * One CommonJS file for a task. What a run does not need is loaded late: esbuild keeps each `import()`ed
 * module behind a function that runs at first use.
 */
export async function bundleTask(name: string): Promise<Metafile> {
  const folder = packagedTaskFolder(name);
  mkdirSync(folder, { recursive: true });
  const result = await build({
    absWorkingDir: repositoryRoot,
    entryPoints: [join(tasksFolder, name, 'index.ts')],
    outfile: join(folder, 'index.js'),
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
      // Which Node runs a task is the agent's matter; a warning in every log helps nobody.
      'process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED': '"true"',
    },
    banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
    metafile: true,
    logLevel: 'error',
  });
  // Whatever package.json lies above the agent's work folder, the bundle is CommonJS.
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
  copyFileSync(join(tasksFolder, name, 'task.json'), join(folder, 'task.json'));
  copyFileSync(join(tasksFolder, name, 'icon.png'), join(folder, 'icon.png'));
  // azure-pipelines-task-lib reads its messages from beside the running file.
  copyFileSync(
    join(repositoryRoot, 'node_modules/azure-pipelines-task-lib/lib.json'),
    join(folder, 'lib.json'),
  );
  return result.metafile;
}
