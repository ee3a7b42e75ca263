import type { PinnedManifest } from '../manifests/imagePin.ts';
import type { Change } from '../plan/plan.ts';
import { canaryTraffic } from './canaryTraffic.ts';
import { canHold, pinOf, type Strategy, serves } from './hold.ts';

/** True for the Deployment that runs the application's image. */
export function runsImage(change: Change<PinnedManifest>): boolean {
  return change.manifest.runsImage && change.planned.kind === 'Deployment';
}

/** Services whose users an interrupted release has pinned to one template of this workload. */
function pinnedBefore(workload: Change, changes: readonly Change<PinnedManifest>[]): Change[] {
  return changes.filter((one) => pinOf(one.live) !== undefined && serves(one.planned, workload.planned));
}

function switched(strategy: Strategy): Strategy {
  return strategy.kind === 'blueGreen' ? strategy : { kind: 'blueGreen', keepMs: 0 };
}

/** True for a canary whose users are divided by these routes, which it then changes itself. */
export function divides(
  change: Change<PinnedManifest>,
  changes: readonly Change<PinnedManifest>[],
  strategy: Strategy | undefined,
): boolean {
  return (
    runsImage(change) &&
    strategy?.kind === 'canary' &&
    canaryTraffic(change, changes, strategy.traffic).by === 'weights'
  );
}

/**
 * The strategy for one workload; undefined when it is applied plainly. Users who are pinned by an interrupted
 * release are switched, whatever is asked for: rolling would take the pods away that they are pinned to.
 */
export function stagesOf(
  change: Change<PinnedManifest>,
  changes: readonly Change<PinnedManifest>[],
  asked: Strategy,
): Strategy | undefined {
  if (change.action !== 'update' || !runsImage(change)) return undefined;
  const isPinned = pinnedBefore(change, changes).length > 0;
  const isSwitched = isPinned && !divides(change, changes, asked);
  const strategy: Strategy = isSwitched ? switched(asked) : asked;
  return canHold(change.planned, strategy) ? strategy : undefined;
}

/** True for what the stages of a workload change: Services that are pinned, routes that divide its users. */
export function isLeftToStage(
  change: Change<PinnedManifest>,
  changes: readonly Change<PinnedManifest>[],
  asked: Strategy,
): boolean {
  if (change.planned.kind !== 'Service' && change.planned.kind !== 'HTTPRoute') return false;
  return changes.some((workload) => {
    const strategy = stagesOf(workload, changes, asked);
    if (strategy === undefined) return false;
    if (pinnedBefore(workload, [change]).length > 0) return true;
    if (strategy.kind !== 'canary' || change.planned.kind !== 'HTTPRoute') return false;
    const traffic = canaryTraffic(workload, changes, strategy.traffic);
    return traffic.by === 'weights' && traffic.routes.includes(change);
  });
}
