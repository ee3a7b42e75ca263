import type { GoldenFile } from '../../src/golden/golden.ts';
import type { PinnedManifest } from '../../src/kube/manifests/imagePin.ts';
import type { Trace } from '../../src/kube/objects/trace.ts';
import type { Inventory, InventoryName } from '../../src/kube/plan/inventory.ts';
import type { Change } from '../../src/kube/plan/plan.ts';

/** What a release would change, object by object. */
export type Changes = readonly Change<PinnedManifest>[];

/** What a release has applied before, under its name. */
export type NamedInventory = Inventory & { readonly name: InventoryName };

/** What is known once the API server has checked the plan. */
export interface Plan {
  readonly changes: Changes;
  readonly isChanged: boolean;
  readonly trace: Trace;
  readonly namespace: string;
  readonly golden?: GoldenFile;
  /** Present with 'prune'. */
  readonly inventory?: NamedInventory;
}
