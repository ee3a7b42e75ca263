import { chosenRegistry, type RegistryChoice } from '../../azure/registry.ts';
import { DeliveryError } from '../../errors.ts';
import type { Host, Log } from '../../host/host.ts';
import { createRegistryClient, type RegistryClient } from '../../oci/client.ts';
import type { RegistryAccess } from '../../oci/connection.ts';
import { type ImageReference, parseReference, registryUrlOf, wantedVersion } from '../../oci/reference.ts';
import type { Platform } from '../../oci/types.ts';
import { shortDigest } from '../../report/format.ts';
import type { ModelIdentity } from '../objects/trace.ts';
import { imageFacts } from './imageFacts.ts';
import { type Choice, chooseImage, type ImagePolicy } from './newest.ts';

/** Which image the inputs ask for. */
export type ImageChoice =
  | { readonly kind: 'given'; readonly image: string; readonly registry?: RegistryChoice }
  | {
      readonly kind: 'chosen';
      readonly registry: RegistryChoice;
      readonly repository: string;
      readonly policy: ImagePolicy;
    };

/** The one image to deploy. */
export interface ResolvedImage {
  /** `registry/repository@sha256:…`. */
  readonly reference: string;
  /** First part of the reference. */
  readonly host: string;
  readonly tags: readonly string[];
  readonly model: ModelIdentity;
  readonly commit?: string;
  /** The user that it runs as, where its configuration was read and names one. */
  readonly user?: string;
  /** What it is made for; empty where its configuration was not read. */
  readonly platforms: readonly Platform[];
  /** Credentials that the nodes may use to pull it, where the inputs gave any. */
  readonly access?: RegistryAccess;
}

const shownCandidates = 10;

/** A client of the registry that this access leads to. */
export function clientFor(access: RegistryAccess, host: Host): RegistryClient {
  return createRegistryClient({ ...access, signal: host.cancelled });
}

function tellChoice(choice: Choice, repository: string, log: Log): void {
  const rows = choice.candidates.slice(0, shownCandidates).map((candidate, index) => {
    const model = candidate.model.version === undefined ? '' : `  model ${candidate.model.version}`;
    const mark = index === 0 ? '→' : ' ';
    return `${mark} ${candidate.tags.join(', ')}  ${candidate.created ?? 'no time'}  ${shortDigest(candidate.digest)}${model}`;
  });
  const more = choice.candidates.length - rows.length;
  log.info([`Images of ${repository}:`, ...rows, ...(more > 0 ? [`  and ${more} older`] : [])].join('\n  '));
  log.info(`Chosen: ${choice.chosen.tag}, because ${choice.why}`);
}

async function choose(choice: Extract<ImageChoice, { kind: 'chosen' }>, host: Host): Promise<ResolvedImage> {
  const access = chosenRegistry(choice.registry, host);
  const client = clientFor(access, host);
  const found = await chooseImage(client, choice.repository, choice.policy, (read, all) => {
    host.log.progress(Math.floor((100 * read) / all), `${read} of ${all} tags of ${choice.repository} read`);
  });
  tellChoice(found, choice.repository, host.log);
  const { digest, model, commit, user, platforms } = found.chosen;
  return {
    reference: `${client.host}/${choice.repository}@${digest}`,
    host: client.host,
    tags: found.chosen.tags,
    model,
    platforms,
    ...(commit === undefined ? {} : { commit }),
    ...(user === undefined ? {} : { user }),
    access,
  };
}

/** The connection's access when it is for this image's registry; otherwise the registry without credentials. */
function accessFor(
  reference: ImageReference,
  choice: RegistryChoice | undefined,
  host: Host,
): RegistryAccess {
  if (choice === undefined) return { registryUrl: registryUrlOf(reference.registry) };
  const access = chosenRegistry(choice, host);
  const client = clientFor(access, host);
  if (client.host === reference.registry) return access;
  throw new DeliveryError({
    code: 'INPUT_INVALID',
    side: 'input',
    message: `Input 'image' names the registry ${reference.registry}, but 'containerRegistry' is for ${client.host}.`,
    remedy: "Choose the connection of the image's registry, or correct the image.",
  });
}

async function given(choice: Extract<ImageChoice, { kind: 'given' }>, host: Host): Promise<ResolvedImage> {
  const reference = parseReference(choice.image);
  const { registry, repository, digest } = reference;
  const base = { host: registry, tags: reference.tag === undefined ? [] : [reference.tag] };
  if (digest !== undefined && choice.registry === undefined) {
    return { ...base, reference: `${registry}/${repository}@${digest}`, model: {}, platforms: [] };
  }
  const access = accessFor(reference, choice.registry, host);
  const client = clientFor(access, host);
  const stored = await client.manifest(repository, wantedVersion(reference));
  const facts = await imageFacts(client, repository, stored);
  return {
    ...base,
    reference: `${registry}/${repository}@${stored.digest}`,
    model: facts?.model ?? {},
    platforms: facts?.platforms ?? [],
    ...(facts?.commit === undefined ? {} : { commit: facts.commit }),
    ...(facts?.user === undefined ? {} : { user: facts.user }),
    ...(choice.registry === undefined ? {} : { access }),
  };
}

/** Finds the one image to deploy and pins it to its digest. Throws what the registry client and the choice throw. */
export function resolveImage(choice: ImageChoice, host: Host): Promise<ResolvedImage> {
  return choice.kind === 'given' ? given(choice, host) : choose(choice, host);
}
