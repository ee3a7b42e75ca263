/** Instructions of a Dockerfile with continued lines joined, comments and blank lines left out. */
function instructions(text: string): readonly string[] {
  const lines = text.split(/\r?\n/).filter((line) => !/^\s*#/.test(line));
  return lines
    .join('\n')
    .replace(/[\\`][ \t]*\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
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
  for (const line of instructions(text)) {
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

/**
 * The image that a Dockerfile's last stage stands on, through stages that build upon each other; undefined for
 * `scratch` and where there is none. https://docs.docker.com/reference/dockerfile/#from
 */
export function baseOfDockerfile(
  text: string,
  buildArguments: Readonly<Record<string, string>>,
): string | undefined {
  const stages = stagesOf(text, buildArguments);
  let index = stages.length - 1;
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
