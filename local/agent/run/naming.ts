import type { Step } from '../yaml/model.ts';
import { pipelineError } from '../yaml/tree.ts';

const shellNames = { script: 'CmdLine', bash: 'Bash', pwsh: 'PowerShell', powershell: 'PowerShell' } as const;

function baseName(step: Step): string {
  if (step.kind === 'script') return shellNames[step.shell];
  if (step.kind === 'checkout') return 'Checkout';
  return step.kind === 'task' ? (step.reference.split('@')[0]?.split('.').at(-1) ?? 'Task') : 'Download';
}

export function labelOf(step: Step): string {
  if (step.kind === 'script') return step.shell;
  if (step.kind === 'checkout') return 'checkout';
  return step.kind === 'task' ? (step.reference.split('.').at(-1) ?? '') : 'download';
}

export function displayNameOf(step: Step): string {
  if (step.displayName !== undefined) return step.displayName;
  if (step.kind === 'script') {
    const line =
      step.script
        .split('\n')
        .map((text) => text.trim())
        .find((text) => text !== '') ?? step.shell;
    return line.length > 60 ? `${line.slice(0, 59)}…` : line;
  }
  return step.kind === 'checkout' ? `Checkout ${step.repository}` : baseName(step);
}

/** Reference names: the YAML's own, and made-up ones for the rest, each once. */
export function nameSteps(steps: readonly Step[]): string[] {
  const taken = new Set<string>();
  for (const { name, place } of steps) {
    if (name === undefined) continue;
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw pipelineError(place, `'${name}' cannot be a step's name.`, 'Use letters, digits and _.');
    if (taken.has(name.toLowerCase()))
      throw pipelineError(place, `Two steps are named '${name}'.`, 'Rename one.');
    taken.add(name.toLowerCase());
  }
  return steps.map((step) => {
    if (step.name !== undefined) return step.name;
    const base = baseName(step);
    let name = base;
    for (let count = 1; taken.has(name.toLowerCase()); count += 1) name = `${base}${count}`;
    taken.add(name.toLowerCase());
    return name;
  });
}
