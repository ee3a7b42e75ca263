/** Code unit order: the same on every machine and in every locale. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The order that the folders of these names have among paths: `a-1/` stands before `a/`. */
export function compareFolders(a: string, b: string): number {
  return compareNames(`${a}/`, `${b}/`);
}

/** What lies one level below a prefix, without it: folders end with `/`. For stores that know all their names. */
export function childrenOf(names: Iterable<string>, prefix: string): string[] {
  const children = new Set<string>();
  for (const name of names) {
    if (!name.startsWith(prefix)) continue;
    const rest = name.slice(prefix.length);
    const slash = rest.indexOf('/');
    children.add(slash < 0 ? rest : rest.slice(0, slash + 1));
  }
  return [...children].sort(compareNames);
}
