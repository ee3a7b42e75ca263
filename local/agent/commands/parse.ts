/** A logging command: `##vso[area.event name=value;…]data`. */
export interface LoggingCommand {
  readonly area: string;
  readonly event: string;
  /** By lower-case name. */
  readonly properties: ReadonlyMap<string, string>;
  readonly data: string;
}

const prefix = '##vso[';
const escapes: readonly (readonly [string, string])[] = [
  [';', '%3B'],
  ['\r', '%0D'],
  ['\n', '%0A'],
  [']', '%5D'],
];

/** A property's value as a command carries it. */
export function escapeValue(value: string): string {
  const percent = value.replaceAll('%', '%AZP25');
  return escapes.reduce((text, [token, code]) => text.replaceAll(token, code), percent);
}

export function unescapeValue(value: string): string {
  const plain = escapes.reduce((text, [token, code]) => text.replaceAll(code, token), value);
  return plain.replaceAll('%AZP25', '%');
}

function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const property of text.split(';')) {
    const equals = property.indexOf('=');
    const value = property.slice(equals + 1);
    if (equals > 0 && value !== '')
      properties.set(property.slice(0, equals).toLowerCase(), unescapeValue(value));
  }
  return properties;
}

/**
 * The command that a line carries, wherever it begins; undefined when there is none.
 * Source: azure-pipelines-agent, Command.TryParse and CommandStringConvertor.
 */
export function parseCommand(line: string): LoggingCommand | undefined {
  const start = line.indexOf(prefix);
  const end = start < 0 ? -1 : line.indexOf(']', start);
  if (end < 0) return undefined;
  const info = line.slice(start + prefix.length, end);
  const space = info.indexOf(' ');
  const [area, event, ...rest] = (space < 0 ? info : info.slice(0, space))
    .split('.')
    .filter((part) => part !== '');
  if (area === undefined || event === undefined || rest.length > 0) return undefined;
  return {
    area: area.toLowerCase(),
    event: event.toLowerCase(),
    properties: space > 0 ? parseProperties(info.slice(space + 1)) : new Map(),
    data: unescapeValue(line.slice(end + 1)),
  };
}
