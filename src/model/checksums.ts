/** What a store keeps of a whole file against damage; unlike a digest it proves nothing against intent. */
export interface Checksum {
  readonly algorithm: 'sha1' | 'crc64nvme' | 'crc32c' | 'crc32';
  /** Hexadecimal, most significant byte first. */
  readonly value: string;
}

/** What is known of a file's content before it is read. */
export interface KnownDigests {
  /** Hexadecimal SHA-256 that the publisher recorded beside the file. */
  readonly sha256?: string;
  /** Hexadecimal MD5 that the store keeps for the whole file. */
  readonly md5?: string;
  readonly checksum?: Checksum;
}

const checksumBytes = { sha1: 20, crc64nvme: 8, crc32c: 4, crc32: 4 } as const;

function checksumOf(header: (name: string) => string | undefined): Checksum | undefined {
  for (const algorithm of Object.keys(checksumBytes) as Checksum['algorithm'][]) {
    const value = hexOf(header(`x-amz-checksum-${algorithm}`), checksumBytes[algorithm]);
    if (value !== undefined) return { algorithm, value };
  }
  return undefined;
}

function hexOf(base64: string | undefined, bytes: number): string | undefined {
  if (base64 === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  const value = Buffer.from(base64, 'base64');
  return value.length === bytes ? value.toString('hex') : undefined;
}

/** The value of one algorithm in `Repr-Digest` (RFC 9530: `sha-256=:…:`) or `Digest` (RFC 3230: `SHA-256=…`). */
function listed(header: string | undefined, algorithm: string, bytes: number): string | undefined {
  for (const entry of (header ?? '').split(',')) {
    const at = entry.indexOf('=');
    if (entry.slice(0, at).trim().toLowerCase() !== algorithm) continue;
    return hexOf(/^:?([^:;]*):?$/.exec(entry.slice(at + 1).trim())?.[1], bytes);
  }
  return undefined;
}

/**
 * The digests of the whole file that an answer's headers tell, hexadecimal; a value that cannot be of the whole
 * file is left out: `Content-MD5` of a part (RFC 1864) and S3's checksum over the checksums of parts
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
 */
export function digestsOf(status: number, header: (name: string) => string | undefined): KnownDigests {
  const composite = header('x-amz-checksum-type')?.toUpperCase() === 'COMPOSITE';
  const published = header('x-amz-meta-sha256') ?? header('x-ms-meta-sha256');
  const sha256 =
    (/^[0-9a-f]{64}$/i.test(published ?? '') ? published?.toLowerCase() : undefined) ??
    listed(header('repr-digest'), 'sha-256', 32) ??
    listed(header('digest'), 'sha-256', 32) ??
    (composite ? undefined : hexOf(header('x-amz-checksum-sha256'), 32));
  const md5 =
    hexOf(header('x-ms-blob-content-md5'), 16) ??
    (status === 200 ? hexOf(header('content-md5'), 16) : undefined);
  const checksum = composite ? undefined : checksumOf(header);
  return {
    ...(sha256 !== undefined && { sha256 }),
    ...(md5 !== undefined && { md5 }),
    ...(checksum !== undefined && { checksum }),
  };
}
