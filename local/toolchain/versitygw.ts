import type { LocalContext } from '../lib/context.ts';
import { ensureGoBinary } from './binary.ts';

/**
 * Path of the S3 server of the Versity Gateway project (https://github.com/versity/versitygw). It is built by
 * itself: in the module of the other programs its dependencies would choose other versions for Kubernetes.
 */
export function versitygwBinary(context: LocalContext): Promise<string> {
  return ensureGoBinary(context, {
    name: 'versitygw',
    package: 'github.com/versity/versitygw/cmd/versitygw',
    version: 'v1.8.0',
    duration: 'about a minute',
  });
}
