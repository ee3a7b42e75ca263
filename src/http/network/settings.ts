import type { ConnectionOptions } from 'node:tls';
import type { ChooseProxy } from './proxy.ts';

/** Authorities to trust and the certificate to show. */
export type Trust = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'pfx' | 'passphrase'>;

/** A server whose certificate was not accepted. */
export interface Untrusted {
  /** The address's origin. */
  readonly origin: string;
  readonly error: Error;
}

/** How this process reaches others: proxies, authorities, and what went wrong on the way. */
export interface Network {
  readonly proxyFor: ChooseProxy;
  /** Empty where Node's own choice is right. */
  readonly trust: Trust;
  /** How the task names itself in every request. */
  readonly userAgent?: string;
  /** Failures of proxies and certificates, newest last; the reader of an error that hides them is told of them. */
  readonly failures: (Error | Untrusted)[];
}
