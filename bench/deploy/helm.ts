import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { measure } from '../measure.ts';
import type { Sample } from '../report.ts';
import type { Target } from './target.ts';

/** `helm upgrade --install --wait` of a chart whose templates are the manifests. */
export async function helm(binary: string, target: Target): Promise<Sample> {
  const chart = `${target.folder}-chart`;
  await mkdir(chart, { recursive: true });
  await writeFile(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: web\nversion: 1.0.0\n');
  await cp(target.folder, join(chart, 'templates'), { recursive: true });
  const place = ['--kubeconfig', target.kubeconfig, '--namespace', target.namespace];
  const args = ['upgrade', '--install', 'web', chart, '--wait', '--timeout', '120s', ...place];
  return (await measure({ command: binary, args })).sample;
}
