import semver from 'semver';
import { compareNatural } from './order.ts';

const versionLike = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;

/** The semantic version that a folder's name means: `v2`, `2.1` and `2024.07.01` count too. https://semver.org */
export function semanticVersion(name: string): string | undefined {
  const [, major, minor = '0', patch = '0', preRelease = '', build = ''] = versionLike.exec(name) ?? [];
  if (major === undefined) return undefined;
  const numbers = [major, minor, patch].map((part) => part.replace(/^0+(?=\d)/, '')).join('.');
  return semver.valid(`${numbers}${preRelease}${build}`) ?? undefined;
}

/** The names that are semantic versions within the range, best first; pre-releases only where the range asks. */
export function rankSemver(names: readonly string[], range = '*'): string[] {
  return names
    .flatMap((name) => {
      const version = semanticVersion(name);
      return version !== undefined && semver.satisfies(version, range) ? [{ name, version }] : [];
    })
    .sort((a, b) => semver.rcompare(a.version, b.version) || compareNatural(b.name, a.name))
    .map(({ name }) => name);
}
