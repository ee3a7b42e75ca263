import { expandMacros } from '../variables.ts';

/** What a run's number may be made of. */
export interface NumberParts {
  readonly date: Date;
  readonly buildId: number;
  readonly branchName: string;
  readonly definitionName: string;
  readonly variables: Readonly<Record<string, string>>;
  /** Numbers of earlier runs of the same pipeline: `$(Rev:r)` is the first that makes a new one. */
  readonly taken: ReadonlySet<string>;
}

const defaultFormat = '$(Date:yyyyMMdd).$(Rev:r)';

function formatDate(date: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const parts: Readonly<Record<string, string>> = {
    yyyy: String(date.getFullYear()),
    yy: two(date.getFullYear() % 100),
    MM: two(date.getMonth() + 1),
    M: String(date.getMonth() + 1),
    dd: two(date.getDate()),
    d: String(date.getDate()),
    HH: two(date.getHours()),
    H: String(date.getHours()),
    mm: two(date.getMinutes()),
    ss: two(date.getSeconds()),
  };
  return format.replace(/yyyy|yy|MM|M|dd|d|HH|H|mm|ss/g, (part) => parts[part] ?? part);
}

function valueFor(name: string, parts: NumberParts, revision: number): string | undefined {
  const [, kind = '', format = ''] = /^(Date|Rev):(.*)$/i.exec(name) ?? [];
  if (kind.toLowerCase() === 'date') return formatDate(parts.date, format);
  if (kind.toLowerCase() === 'rev')
    return format.replace(/r+/, (letters) => String(revision).padStart(letters.length, '0'));
  const known: Readonly<Record<string, string>> = {
    'build.buildid': String(parts.buildId),
    buildid: String(parts.buildId),
    sourcebranchname: parts.branchName,
    'build.sourcebranchname': parts.branchName,
    'build.definitionname': parts.definitionName,
    teamproject: 'local',
  };
  return known[name.toLowerCase()] ?? parts.variables[name];
}

/** The run's number by the pipeline's `name`. Source: Azure Pipelines docs, "Configure run or build numbers". */
export function formatRunNumber(format: string, parts: NumberParts): string {
  for (let revision = 1; ; revision += 1) {
    const number = expandMacros(format || defaultFormat, (name) => valueFor(name, parts, revision));
    if (!parts.taken.has(number) || !/\$\(Rev:/i.test(format || defaultFormat)) return number;
  }
}
