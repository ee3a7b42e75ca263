export interface RegistryComplaint {
  readonly codes: readonly string[];
  readonly text: string;
}

/** What a registry answered instead of what was expected. */
export class RegistryRefusal extends Error {
  readonly status: number;
  /** Codes of the registry's error document, for example `MANIFEST_UNKNOWN`. */
  readonly codes: readonly string[];
  readonly retryAfterMs: number | undefined;

  /** `ids`: those of the request, as `correlation` words them. */
  constructor(
    status: number,
    said: RegistryComplaint,
    { afterMs, ids }: { readonly afterMs?: number | undefined; readonly ids?: string } = {},
  ) {
    super(`HTTP ${status}${said.text === '' ? '' : `: ${said.text}`}${ids ? ` (${ids})` : ''}`);
    this.name = 'RegistryRefusal';
    this.status = status;
    this.codes = said.codes;
    this.retryAfterMs = afterMs;
  }
}

const longestComplaint = 300;

interface ErrorDocument {
  readonly errors?: readonly {
    readonly code?: unknown;
    readonly message?: unknown;
    readonly detail?: unknown;
  }[];
  readonly message?: unknown;
  readonly error?: unknown;
}

/**
 * The reason in an error's body: the specification's error document, else the beginning of the text.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 */
export function readComplaint(body: string): RegistryComplaint {
  try {
    const document = JSON.parse(body) as ErrorDocument;
    const errors = Array.isArray(document.errors) ? document.errors : [];
    const codes = errors.map((entry) => String(entry.code ?? ''));
    const text = errors
      .map((entry) => `${String(entry.message ?? '')} (${String(entry.code ?? '')})`)
      .join('; ');
    // distribution tells of its own troubles in the detail alone.
    const detail = errors
      .map((entry) => (entry.code === 'UNKNOWN' ? JSON.stringify(entry.detail ?? '') : ''))
      .join('');
    const other = document.message ?? document.error ?? '';
    return {
      codes,
      text: `${text || String(other)}${detail === '' ? '' : `: ${detail}`}`.slice(0, longestComplaint),
    };
  } catch {
    const isPage = /^\s*</.test(body);
    return { codes: [], text: isPage ? 'a web page' : body.trim().slice(0, longestComplaint) };
  }
}
