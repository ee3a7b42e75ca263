interface Instruction {
  /** Continued lines are joined. */
  readonly text: string;
  /** Where it begins, from 1 on. */
  readonly line: number;
}

const continued = /[\\`][ \t]*$/;

/** Instructions of a Dockerfile; comments, also between continued lines, and blank lines are left out. */
function instructions(text: string): readonly Instruction[] {
  const found: { text: string; line: number }[] = [];
  let open: { text: string; line: number } | undefined;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const part = line.replace(continued, ' ');
    if (open === undefined) {
      open = { text: part, line: index + 1 };
      found.push(open);
    } else open.text += part;
    if (!continued.test(line)) open = undefined;
  }
  return found.map((one) => ({ ...one, text: one.text.trim() }));
}

function normalised(text: string): string {
  return text.replace(/\s+/g, ' ').trim().toLowerCase();
}

/** The line of a Dockerfile where the instruction stands that an engine names; undefined unless it is the only one. */
export function lineOfInstruction(text: string, named: string): number | undefined {
  const wanted = normalised(named);
  if (wanted === '') return undefined;
  const fits = instructions(text).filter((one) => normalised(one.text) === wanted);
  return fits.length === 1 ? fits[0]?.line : undefined;
}

function substitute(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(
    /\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)/g,
    (_, braced?: string, other?: string, plain?: string) => values.get(braced ?? plain ?? '') ?? other ?? '',
  );
}

interface Stage {
  readonly from: string;
  readonly name: string | undefined;
}

function stagesOf(text: string, given: Readonly<Record<string, string>>): readonly Stage[] {
  const values = new Map<string, string>();
  const stages: Stage[] = [];
  for (const { text: line } of instructions(text)) {
    const [, name, fallback = ''] = /^ARG\s+(\w+)(?:=(.*))?$/i.exec(line) ?? [];
    // Only arguments before the first FROM can be used in a FROM.
    if (name !== undefined && stages.length === 0) {
      values.set(name, given[name] ?? fallback.replace(/^(["'])(.*)\1$/, '$2'));
    }
    const from = /^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(line);
    if (from !== null) stages.push({ from: substitute(from[1] ?? '', values), name: from[2]?.toLowerCase() });
  }
  return stages;
}

/** A stage by its name or its number; -1 where there is none. */
function stageOf(stages: readonly Stage[], target: string): number {
  const named = stages.findLastIndex((stage) => stage.name === target.toLowerCase());
  return named < 0 && /^\d+$/.test(target) ? Number(target) : named;
}

/**
 * The image that a Dockerfile's last stage (or the target) stands on, through stages that build upon each other; undefined for
 * `scratch` and where there is none. https://docs.docker.com/reference/dockerfile/#from
 */
export function baseOfDockerfile(
  text: string,
  buildArguments: Readonly<Record<string, string>>,
  target?: string,
): string | undefined {
  const stages = stagesOf(text, buildArguments);
  let index = target === undefined ? stages.length - 1 : stageOf(stages, target);
  let from = stages[index]?.from;
  while (from !== undefined) {
    const name = from.toLowerCase();
    const earlier = stages.slice(0, index).findLastIndex((stage) => stage.name === name);
    if (earlier < 0) break;
    index = earlier;
    from = stages[earlier]?.from;
  }
  return from === undefined || from === '' || from === 'scratch' ? undefined : from;
}
