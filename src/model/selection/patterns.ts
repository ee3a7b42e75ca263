import { Minimatch } from 'minimatch';

/** True for the paths that the patterns choose. */
export type PathFilter = (path: string) => boolean;

/**
 * Glob patterns as a filter, applied in order: a pattern adds files, one that starts with `!` takes files away.
 * When the first takes away, all files are chosen before it. The same on every operating system.
 */
export function pathFilter(patterns: readonly string[]): PathFilter {
  const steps = patterns.map((pattern) => {
    const removes = pattern.startsWith('!');
    const glob = new Minimatch(removes ? pattern.slice(1) : pattern, {
      dot: true,
      nocomment: true,
      nonegate: true,
      platform: 'linux',
    });
    return { removes, glob };
  });
  const initially = steps[0]?.removes ?? true;
  return (path) =>
    steps.reduce((chosen, { removes, glob }) => (glob.match(path) ? !removes : chosen), initially);
}
