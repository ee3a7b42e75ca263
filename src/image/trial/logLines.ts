const headerSize = 8;
const longestLine = 500;

/** The engine puts before each piece of output its stream (0 to 2), three zeros and the length. */
function pieces(content: Buffer): readonly Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  while (at + headerSize <= content.byteLength) {
    const end = at + headerSize + content.readUInt32BE(at + 4);
    found.push(content.subarray(at + headerSize, end));
    at = end;
  }
  return found;
}

/**
 * The lines of a container's output without a terminal.
 * https://docs.docker.com/reference/api/engine/version/v1.47/#tag/Container/operation/ContainerAttach
 */
export function logLines(content: Buffer): readonly string[] {
  const text = Buffer.concat(pieces(content)).toString('utf8');
  return text
    .split(/\r?\n|\r/)
    .map((line) => line.trimEnd().slice(0, longestLine))
    .filter((line) => line !== '');
}
