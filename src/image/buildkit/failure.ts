import { DeliveryError } from '../../errors.ts';
import { dockerfileFailed } from '../docker/failed.ts';

const unreachable = /failed to list workers|connection error|Unavailable:|no such host/i;
/** `Dockerfile:5`, above the lines that BuildKit shows. */
const place = /^\S+:(\d+)$/;
const marked = /^\s*\d+ \| >>> (.+)$/;

/** What BuildKit's plain progress said last about a failed build. */
export function buildkitFailure(lines: readonly string[], address: string): DeliveryError {
  const reason =
    lines.findLast((line) => /^(error|ERROR): /.test(line))?.replace(/^error: /i, '') ?? lines.at(-1);
  const at = lines.findLastIndex((line) => place.test(line));
  if (at < 0 && unreachable.test(reason ?? '')) {
    return new DeliveryError({
      code: 'ENGINE_UNREACHABLE',
      side: 'engine',
      message: `No BuildKit daemon answers at ${address}.`,
      remedy:
        "Start buildkitd there and let the agent reach it, correct 'buildkitAddress', or use another 'engine'.",
      cause: new Error(reason),
    });
  }
  const line = place.exec(lines[at] ?? '')?.[1];
  const step = lines.slice(Math.max(at, 0)).find((text) => marked.test(text));
  return dockerfileFailed({
    step: marked.exec(step ?? '')?.[1] ?? '',
    line: line === undefined ? undefined : Number(line),
    reason: reason ?? 'BuildKit gave no reason',
  });
}
