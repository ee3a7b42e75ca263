import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { LocalContext } from '../lib/context.ts';
import { connects } from '../lib/ports.ts';
import { type LocalServices, type ServicePart, serviceAddress, serviceParts } from './parts.ts';
import { readEndpoints } from './state.ts';

export interface ServiceStatus {
  readonly part: ServicePart;
  /** Something accepts connections where the service was started. */
  readonly running: boolean;
  /** Where it answers, or answered last; undefined when it was not started since the last stop. */
  readonly address: string | undefined;
}

interface Kubeconfig {
  readonly clusters?: readonly { readonly cluster?: { readonly server?: string } }[];
}

async function serverOf(kubeconfig: string): Promise<string | undefined> {
  const text = await readFile(kubeconfig, 'utf8').catch(() => '');
  return (parse(text) as Kubeconfig | null)?.clusters?.[0]?.cluster?.server;
}

async function accepts(address: string): Promise<boolean> {
  if (address.startsWith('unix://')) return connects({ path: address.slice('unix://'.length) });
  const { hostname, port, protocol } = new URL(address);
  return connects({ host: hostname, port: Number(port || (protocol === 'https:' ? 443 : 80)) });
}

async function statusOf(services: LocalServices, part: ServicePart): Promise<ServiceStatus> {
  const address = serviceAddress(services, part);
  const target = part === 'cluster' && address !== undefined ? await serverOf(address) : address;
  return { part, running: target !== undefined && (await accepts(target)), address };
}

/** Which services run, and where. */
export async function servicesStatus(context: LocalContext): Promise<readonly ServiceStatus[]> {
  const services = await readEndpoints(context);
  return Promise.all(serviceParts.map((part) => statusOf(services, part)));
}
