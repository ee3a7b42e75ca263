import { formatBytes, shortDigest } from '../../src/report/format.ts';
import type { RoundAccount } from './account.ts';

type Say = (line: string) => void;

/** A heading that divides the demo's acts. */
export function printAct(say: Say, title: string): void {
  say(`\n${'═'.repeat(78)}\n  ${title}\n${'═'.repeat(78)}`);
}

/** What is where, the prediction, and the way back from the pod to the blob. */
export function printRound(say: Say, round: RoundAccount): void {
  const { model, image, deployment, prediction } = round;
  const largest = [...model.files].sort((a, b) => b.size - a.size)[0];
  say('\nWhat is where');
  say(
    `  model        ${model.name} ${model.version}, ${model.files.length} files, ${formatBytes(model.size)}`,
  );
  say(`  storage      ${model.source.url}`);
  say(`  image        ${image.reference}`);
  say(
    `               ${formatBytes(image.bytesUploaded)} uploaded, ${formatBytes(image.bytesReused)} reused`,
  );
  const { namespace, name, revision, readyReplicas } = deployment;
  say(`  deployment   ${namespace}/${name}, revision ${revision}, ${readyReplicas} replicas ready`);
  say(`  address      ${deployment.endpointUrl}`);
  say('\nA user asks');
  say(`  ${prediction.request.method} ${prediction.request.url}`);
  say(`  ${JSON.stringify(prediction.request.json)}`);
  say(`  → ${prediction.status} ${JSON.stringify(prediction.response)}`);
  say(
    `  ${prediction.right ? '✓ right' : '✗ WRONG'}: model ${prediction.modelVersion} answers '${prediction.expected.label}'`,
  );
  say('\nWhere it came from');
  say(`  pod ${round.pods.map((pod) => pod.name).join(', ')}`);
  say(`  → image ${shortDigest(image.digest)} → model ${model.version}, ${shortDigest(model.digest ?? '')}`);
  say(`  → blob ${largest?.name ?? ''} (ETag ${largest?.etag ?? ''})`);
  say(`  → commit ${round.build.commit.slice(0, 12)}, run ${round.build.run}`);
}
