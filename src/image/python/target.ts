import { DeliveryError } from '../../errors.ts';
import type { ImageConfig, Platform } from '../../oci/types.ts';

/** The Python that packages are chosen for: the image's, never the agent's. */
export interface PythonTarget {
  readonly platform: Platform;
  /** Major and minor, for example `3.12`. */
  readonly version: string;
  readonly libc: 'glibc' | 'musl';
}

const machines: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  'arm/v7': 'armv7l',
  '386': 'i686',
  ppc64le: 'ppc64le',
  s390x: 's390x',
};

/** Machine name as Python's platform module gives it. Throws PLATFORM_UNSUPPORTED. */
export function machineOf(platform: Platform): string {
  const key = platform.architecture === 'arm' ? `arm/${platform.variant ?? 'v7'}` : platform.architecture;
  const machine = machines[key];
  if (platform.os === 'linux' && machine !== undefined) return machine;
  throw new DeliveryError({
    code: 'PLATFORM_UNSUPPORTED',
    side: 'input',
    message: `Python packages cannot be chosen for ${platform.os}/${key}.`,
    remedy: `Choose linux with one of ${Object.keys(machines).join(', ')}, or install them by a Dockerfile.`,
  });
}

/** The oldest and newest glibc whose wheels are taken: the newest is what current distributions all have. */
const glibcVersions = { oldest: 5, newest: 28 };
const muslVersions = { oldest: 1, newest: 2 };

/** Platform tags that the image can use, most specific first; PEP 600 and PEP 656. */
export function platformTags(target: PythonTarget): readonly string[] {
  const machine = machineOf(target.platform);
  const { oldest, newest } = target.libc === 'musl' ? muslVersions : glibcVersions;
  const numbers = Array.from({ length: newest - oldest + 1 }, (_, index) => newest - index);
  if (target.libc === 'musl') return numbers.map((minor) => `musllinux_1_${minor}_${machine}`);
  const legacy = ['manylinux2014', 'manylinux2010', 'manylinux1'].map((name) => `${name}_${machine}`);
  return [...numbers.map((minor) => `manylinux_2_${minor}_${machine}`), ...legacy, `linux_${machine}`];
}

/** Values of environment markers (`; python_version < "3.12"`) in the image; PEP 508. */
export function markerEnvironment(target: PythonTarget): Readonly<Record<string, string>> {
  return {
    implementation_name: 'cpython',
    implementation_version: `${target.version}.0`,
    os_name: 'posix',
    platform_machine: machineOf(target.platform),
    platform_python_implementation: 'CPython',
    platform_release: '',
    platform_system: 'Linux',
    platform_version: '',
    python_full_version: `${target.version}.0`,
    python_version: target.version,
    sys_platform: 'linux',
  };
}

function environmentVariable(config: ImageConfig, name: string): string | undefined {
  const line = (config.config?.Env ?? []).find((entry) => entry.startsWith(`${name}=`));
  return line?.slice(name.length + 1);
}

/** The base image's Python, unless the input names it. Throws PYTHON_VERSION_UNKNOWN. */
export function pythonTarget(
  base: { readonly name: string; readonly config: ImageConfig },
  platform: Platform,
  version: string | undefined,
): PythonTarget {
  const stated = version ?? environmentVariable(base.config, 'PYTHON_VERSION') ?? '';
  const found = /^\d+\.\d+/.exec(stated)?.[0];
  if (found === undefined) {
    throw new DeliveryError({
      code: 'PYTHON_VERSION_UNKNOWN',
      side: 'input',
      message: `Base image '${base.name}' does not say which Python it has${stated === '' ? '' : ` ('${stated}')`}.`,
      remedy:
        "Set 'pythonVersion', for example 3.12, or use a base image with PYTHON_VERSION in its environment.",
    });
  }
  return { platform, version: found, libc: /alpine|musl/i.test(base.name) ? 'musl' : 'glibc' };
}
