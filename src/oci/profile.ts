const mebibyte = 1024 * 1024;

/** What is known of a registry's uploads beyond the specification. */
export interface UploadProfile {
  /** Most bytes of one PATCH. */
  readonly largestRequest: number;
}

/** One PATCH of the whole blob is fastest, and what Azure, Google and Amazon want (kitops#777: some refuse parts). */
const ordinary: UploadProfile = { largestRequest: Number.POSITIVE_INFINITY };

/** GitHub's registry ends a PATCH of more than 4 MiB (regclient and oras found the same limit). */
const profiles: Readonly<Record<string, UploadProfile>> = {
  'ghcr.io': { largestRequest: 4 * mebibyte },
};

export function profileOf(registry: URL): UploadProfile {
  return profiles[registry.hostname] ?? ordinary;
}

/** The sizes that are tried after a 413, which proxies before a registry answer: each some proxy's default limit. */
const smallerRequests = [64 * mebibyte, 16 * mebibyte, 4 * mebibyte, mebibyte, mebibyte / 2];

/** The next size below one that was refused; undefined where smaller ones make no sense. */
export function smallerRequest(refused: number): number | undefined {
  return smallerRequests.find((size) => size < refused);
}
