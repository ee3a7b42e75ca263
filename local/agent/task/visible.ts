type Comparison = (actual: string, expected: string) => boolean;

const comparisons: Readonly<Record<string, Comparison>> = {
  '=': (actual, expected) => actual === expected,
  '==': (actual, expected) => actual === expected,
  '!=': (actual, expected) => actual !== expected,
  in: (actual, expected) => expected.split(',').some((item) => item.trim() === actual),
  notin: (actual, expected) => !expected.split(',').some((item) => item.trim() === actual),
  contains: (actual, expected) => actual.includes(expected),
  notcontains: (actual, expected) => !actual.includes(expected),
  startswith: (actual, expected) => actual.startsWith(expected),
  notstartswith: (actual, expected) => !actual.startsWith(expected),
  endswith: (actual, expected) => actual.endsWith(expected),
  notendswith: (actual, expected) => !actual.endsWith(expected),
};

const pattern =
  /^\s*(\S+?)\s*(==|!=|=|\s(?:NotIn|In|NotContains|Contains|NotStartsWith|StartsWith|NotEndsWith|EndsWith)\s)\s*(.*?)\s*$/i;

function holds(rule: string, valueFor: (name: string) => string): boolean {
  const [, name = '', operator = '', expected = ''] = pattern.exec(rule) ?? [];
  const comparison = comparisons[operator.trim().toLowerCase()];
  // A rule that cannot be read hides nothing: a missing value is then reported rather than passed over.
  return comparison === undefined || comparison(valueFor(name).toLowerCase(), expected.toLowerCase());
}

/**
 * Whether a visibleRule such as `source = azureBlob && mode != resolve` holds. A rule joins its parts by `&&`
 * or by `||`, never both. Source: docs, "Custom build and release task", visibleRule.
 */
export function isVisible(rule: string | undefined, valueFor: (name: string) => string): boolean {
  if (rule === undefined || rule.trim() === '') return true;
  return rule.includes('||')
    ? rule.split('||').some((part) => holds(part, valueFor))
    : rule.split('&&').every((part) => holds(part, valueFor));
}
