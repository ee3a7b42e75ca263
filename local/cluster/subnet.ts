import { DeliveryError } from '../../src/errors.ts';

/** A range of IPv4 addresses as numbers, both ends included. */
interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** 198.18.0.0/15 is set aside for tests between machines (RFC 2544, RFC 6890): nothing on the internet is hidden. */
const pool = { first: toNumber('198.18.0.0'), blocks: 512, blockSize: 256 };

function toNumber(address: string): number {
  return address.split('.').reduce((value, part) => value * 256 + Number(part), 0);
}

function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

function parseCidr(cidr: string): AddressRange {
  const [address = '', bits = '32'] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  const first = Math.floor(toNumber(address) / size) * size;
  return { first, last: first + size - 1 };
}

/** Addresses of one cluster: a block of 256, numbered by its place in the pool. */
export interface Subnet {
  readonly block: number;
  readonly hostAddress: string;
  readonly nodeAddress: string;
  /** CIDR of the addresses that Services of type LoadBalancer get. */
  readonly loadBalancerRange: string;
}

function subnet(block: number): Subnet {
  const base = pool.first + block * pool.blockSize;
  return {
    block,
    hostAddress: toAddress(base + 1),
    nodeAddress: toAddress(base + 2),
    loadBalancerRange: `${toAddress(base + 128)}/25`,
  };
}

/**
 * The first block of the pool, the preferred one before all, that no range in `taken` (CIDRs of the machine's
 * addresses and routes, default routes left out) touches. Fails with `NO_FREE_SUBNET`.
 */
export function freeSubnet(taken: readonly string[], preferred = 0): Subnet {
  const ranges = taken.map(parseCidr);
  for (const block of [preferred, ...Array(pool.blocks).keys()]) {
    const first = pool.first + block * pool.blockSize;
    const last = first + pool.blockSize - 1;
    if (ranges.every((range) => range.last < first || range.first > last)) return subnet(block);
  }
  throw new DeliveryError({
    code: 'NO_FREE_SUBNET',
    side: 'agent',
    message: 'No part of 198.18.0.0/15 is free on this machine for the local cluster.',
    remedy:
      'Look at `ip route` for what uses these addresses (a VPN, or clusters of other checkouts) and end it.',
  });
}
