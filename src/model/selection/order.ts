const digits = /(\d+)/;

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Runs of digits as numbers of any length. */
function compareNumbers(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+(?=\d)/, ''), b.replace(/^0+(?=\d)/, '')];
  return x.length - y.length || compareText(x, y);
}

/** Natural order: `v9` before `v10`, the same in every locale; equal only for equal names. */
export function compareNatural(a: string, b: string): number {
  const [left, right] = [a.split(digits), b.split(digits)];
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const compare = index % 2 === 1 ? compareNumbers : compareText;
    const order = compare(left[index] ?? '', right[index] ?? '');
    if (order !== 0) return order;
  }
  return left.length - right.length || compareText(a, b);
}
