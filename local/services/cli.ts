import { createContext, type LocalContext } from '../lib/context.ts';
import { type ServicePart, serviceParts, servicesStatus, startServices, stopServices } from './index.ts';
import { serviceLine } from './parts.ts';

/** What the pipelines need; Docker and BuildKit are for images from a Dockerfile alone, S3 and MLflow for models that lie there. */
const otherParts: readonly ServicePart[] = ['docker', 'buildkit', 's3', 'mlflow'];
const usualParts: readonly ServicePart[] = serviceParts.filter((part) => !otherParts.includes(part));
const usage = `npm run services -- start [${serviceParts.join('|')} …] | stop | status`;

function isPart(name: string): name is ServicePart {
  return (serviceParts as readonly string[]).includes(name);
}

async function start(context: LocalContext, names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !isPart(name));
  if (unknown.length > 0) {
    console.error(`Unknown service: ${unknown.join(', ')}. There are: ${serviceParts.join(', ')}.`);
    return 2;
  }
  await startServices(context, names.length > 0 ? names.filter(isPart) : usualParts);
  console.log('\nThey run until: npm run services -- stop');
  console.log(`Logs: ${context.logFolder}`);
  return 0;
}

async function stop(context: LocalContext): Promise<number> {
  await stopServices(context);
  console.log('✔ stopped; nothing is left but the logs');
  return 0;
}

async function status(context: LocalContext): Promise<number> {
  for (const { part, running, address } of await servicesStatus(context)) {
    console.log(serviceLine(running ? '✔' : '·', part, address ?? '', running ? 'running' : 'stopped'));
  }
  return 0;
}

/** `npm run services -- …`; the exit code. */
export async function servicesCommand([verb, ...names]: string[]): Promise<number> {
  const context = await createContext();
  if (verb === 'start') return start(context, names);
  if (verb === 'stop' && names.length === 0) return stop(context);
  if (verb === 'status' && names.length === 0) return status(context);
  console.error(`Usage: ${usage}`);
  return 2;
}
