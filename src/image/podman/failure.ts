import type { DeliveryError } from '../../errors.ts';
import { lineOfInstruction } from '../docker/dockerfile.ts';
import { dockerfileFailed } from '../docker/failed.ts';

/** `STEP 3/4: RUN false`, with the stage before it where there are several. */
const step = /^(?:\[\d+\/\d+\] )?STEP \d+(?:\/\d+)?: (.+)$/;

/** What podman or buildah said last about a failed build. */
export function podmanFailure(lines: readonly string[], dockerfile: string): DeliveryError {
  const reason = lines.findLast((line) => /^Error: /i.test(line))?.replace(/^Error: /i, '') ?? lines.at(-1);
  const parsed = /parse error(?: on)? line (\d+)/i.exec(reason ?? '')?.[1];
  const named = /at STEP "(.+?)": /.exec(reason ?? '')?.[1];
  const last = lines.findLast((line) => step.test(line));
  const text = parsed === undefined ? (named ?? step.exec(last ?? '')?.[1] ?? '') : '';
  return dockerfileFailed({
    step: text,
    line: parsed === undefined ? lineOfInstruction(dockerfile, text) : Number(parsed),
    reason: reason ?? 'it gave no reason',
  });
}
