import { DeliveryError } from '../../errors.ts';
import type { ImageConfig, Platform } from '../../oci/types.ts';

/** The Python that packages are chosen for: the image's, never the agent's. */
export interface PythonTarget {
  readonly platform: Platform;
  /** Major and minor, for example `3.12`. */
  readonly version: string;
  readonly libc: Libc;
}

/** The C library that compiled packages are linked against. */
export interface Libc {
  readonly name: 'glibc' | 'musl';
  /** Of `2.36` the 36, of musl's `1.2` the 2. */
  readonly minor: number;
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

/** The major version of each library, and the oldest minor one that wheels are made for. */
const libraries = { glibc: { major: 2, oldest: 5 }, musl: { major: 1, oldest: 1 } } as const;
/** What current distributions all have. */
const usual = { glibc: 28, musl: 2 } as const;
/** glibc 2.x of distributions whose names stand in image names, newest first. */
const distributions: readonly (readonly [RegExp, number])[] = [
  [/trixie|debian:?1[3-9]/i, 41],
  [/noble|24\.04|ubi10/i, 39],
  [/bookworm|debian:?12/i, 36],
  [/jammy|22\.04/i, 35],
  [/ubi9|al2023|amazonlinux:2023/i, 34],
  [/bullseye|focal|20\.04|debian:?11/i, 31],
];

/** The library that a base image's name tells of; without a hint one that every current distribution has. */
function libcOf(image: string): Libc {
  if (/alpine|musl/i.test(image)) return { name: 'musl', minor: usual.musl };
  const minor = distributions.find(([name]) => name.test(image))?.[1] ?? usual.glibc;
  return { name: 'glibc', minor };
}

/** `glibc 2.36`, `musl 1.2`, or the name alone; undefined for anything else. */
export function parseLibc(text: string): Libc | undefined {
  const [, name, major, minor] =
    /^(glibc|musl)(?:[\s-]+(\d)\.(\d{1,2}))?$/.exec(text.trim().toLowerCase()) ?? [];
  if (name !== 'glibc' && name !== 'musl') return undefined;
  if (major !== undefined && Number(major) !== libraries[name].major) return undefined;
  return { name, minor: minor === undefined ? usual[name] : Number(minor) };
}

/** For people: `glibc 2.36`. */
export function formatLibc({ name, minor }: Libc): string {
  return `${name} ${libraries[name].major}.${minor}`;
}

/** Platform tags that the image can use, most specific first; PEP 600 and PEP 656. */
export function platformTags(target: PythonTarget): readonly string[] {
  const machine = machineOf(target.platform);
  const { name, minor: newest } = target.libc;
  const { oldest } = libraries[name];
  const numbers = Array.from({ length: Math.max(newest - oldest + 1, 0) }, (_, index) => newest - index);
  if (name === 'musl') return numbers.map((minor) => `musllinux_1_${minor}_${machine}`);
  const legacy = [
    ...(newest >= 17 ? ['manylinux2014'] : []),
    ...(newest >= 12 ? ['manylinux2010'] : []),
    'manylinux1',
  ].map((tag) => `${tag}_${machine}`);
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

/** The base image's Python and C library, unless the inputs name them. Throws PYTHON_VERSION_UNKNOWN. */
export function pythonTarget(
  base: { readonly name: string; readonly config: ImageConfig },
  platform: Platform,
  wanted: { readonly version?: string | undefined; readonly libc?: Libc | undefined },
): PythonTarget {
  const stated = wanted.version ?? environmentVariable(base.config, 'PYTHON_VERSION') ?? '';
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
  return { platform, version: found, libc: wanted.libc ?? libcOf(base.name) };
}
