import { DeliveryError } from '../../errors.ts';
import type { Manifest } from '../manifests/manifests.ts';
import { describe, refOf } from '../objects/objects.ts';

function hookOf({ object }: Manifest): string | undefined {
  return object.metadata.annotations?.['helm.sh/hook'];
}

/**
 * Without the tests of charts. Other hooks are what Helm itself runs around an upgrade: applied they would run at the wrong
 * time, dropped in silence a migration would be missing. Throws CHART_HOOKS.
 */
export function withoutHooks(manifests: readonly Manifest[]): Manifest[] {
  const plain = manifests.filter((one) => !/^test(-success|-failure)?$/.test(hookOf(one) ?? ''));
  const hooks = plain.filter((one) => hookOf(one) !== undefined);
  if (hooks.length === 0) return plain;
  const names = hooks.map((one) => `${describe(refOf(one.object))} (${hookOf(one)}, ${one.origin})`);
  throw new DeliveryError({
    code: 'CHART_HOOKS',
    side: 'input',
    message: `The chart has hooks, which only Helm itself runs: ${names.join('; ')}.`,
    remedy:
      "Switch them off by the chart's values, or run what they do in a step of its own before this one.",
  });
}
