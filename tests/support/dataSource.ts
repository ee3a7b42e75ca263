import { XMLParser } from 'fast-xml-parser';
import { type Dispatcher, request } from 'undici';
import type { DataSourceBinding } from '../../build/contract/taskJson.ts';

/** A service connection as Azure DevOps's own server uses it to fill a list. */
export interface Endpoint {
  /** `endpoint.url`, and the connection's data. */
  readonly fields: Readonly<Record<string, string>>;
  /** What its type adds to each request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher?: Dispatcher;
  /** Where hosts of the real clouds are here. */
  readonly redirect?: (url: string) => string;
}

/** The sources that connections of type AzureRM have by name, as Azure DevOps publishes them. */
const named: Readonly<Record<string, Pick<DataSourceBinding, 'endpointUrl' | 'resultSelector'>>> = {
  AzureStorageAccountRM: {
    endpointUrl:
      '{{{endpoint.url}}}/subscriptions/{{{endpoint.subscriptionId}}}/providers/Microsoft.Storage/storageAccounts?api-version=2015-06-15',
    resultSelector: 'jsonpath:$.value[*].name',
  },
  AzureStorageContainer: {
    endpointUrl: 'https://{{storageAccount}}.blob.{{endpoint.StorageEndpointSuffix}}/?comp=list',
    resultSelector: 'xpath:EnumerationResults/Containers/Container/Name',
  },
};

function step(value: unknown, path: string): unknown {
  return path
    .split('.')
    .filter((name) => name !== '')
    .reduce<unknown>((found, name) => (found as Record<string, unknown> | undefined)?.[name], value);
}

/** What follows `/<kind>/` in a resource's id: the template language's `#extractResource`. */
function extracted(id: unknown, kind: string): string {
  const parts = String(id).split('/');
  return parts[parts.findIndex((part) => part.toLowerCase() === kind.toLowerCase()) + 1] ?? '';
}

/** The part of the template language that the bindings use; an unknown name is an error here, not an empty text. */
function rendered(template: string, context: unknown): string {
  return template.replace(/\{\{\{?\s*(.+?)\s*\}?\}\}/g, (_whole, expression: string) => {
    const [, field = '', kind = ''] = /^#extractResource (\S+) (\S+)$/.exec(expression) ?? [];
    const value = field === '' ? step(context, expression) : extracted(step(context, field), kind);
    if (typeof value !== 'string') throw new Error(`the template names '${expression}', which there is not`);
    return value;
  });
}

/** What a selector finds: `jsonpath:$.a[*].b.c`, or `xpath:` element names. */
function selected(selector: string, text: string): unknown[] {
  if (selector.startsWith('xpath:')) {
    const isArray = (name: string): boolean => name === 'Container';
    const parsed: unknown = new XMLParser({ isArray }).parse(text);
    const [list = '', field = ''] = selector.slice('xpath:'.length).split(/(?<=Container)\//);
    return (step(parsed, list.replaceAll('/', '.')) as unknown[]).map((one) => step(one, field));
  }
  const [, list = '', field = ''] = /^jsonpath:\$\.(\w+)\[\*\](.*)$/.exec(selector) ?? [];
  const items = step(JSON.parse(text), list);
  return Array.isArray(items) ? items.map((item) => step(item, field)) : [];
}

function withInputs(text: string, inputs: Readonly<Record<string, string>>): string {
  return text.replace(/\$\((\w+)\)/g, (_whole, name: string) => {
    const value = inputs[name];
    if (value === undefined) throw new Error(`the input '${name}' is not filled`);
    return value;
  });
}

/** The value that a person would choose: a template's `Value`, or the text itself. */
function chosenValue(made: string): string {
  if (!made.startsWith('{')) return made;
  const { Value, DisplayValue } = JSON.parse(made) as { Value?: unknown; DisplayValue?: unknown };
  if (typeof Value !== 'string' || typeof DisplayValue !== 'string') throw new Error(`no option: ${made}`);
  return Value;
}

/** The options that a binding's request gives: what a list in the editor would show. */
export async function optionsOf(
  binding: DataSourceBinding,
  endpoint: Endpoint,
  inputs: Readonly<Record<string, string>>,
): Promise<string[]> {
  const source = binding.dataSourceName === undefined ? binding : named[binding.dataSourceName];
  if (source?.endpointUrl === undefined || source.resultSelector === undefined) {
    throw new Error(`AzureRM has no source '${binding.dataSourceName}'`);
  }
  const parameters = Object.entries(binding.parameters ?? {}).map(([name, text]) => [
    name,
    withInputs(text, inputs),
  ]);
  const context = { endpoint: endpoint.fields, ...(Object.fromEntries(parameters) as object) };
  const url = rendered(withInputs(source.endpointUrl, inputs), context);
  const { headers, dispatcher, redirect } = endpoint;
  const answer = await request(redirect?.(url) ?? url, { headers, ...(dispatcher && { dispatcher }) });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`HTTP ${answer.statusCode}: ${text}`);
  return selected(source.resultSelector, text).map((item) =>
    binding.resultTemplate === undefined ? String(item) : chosenValue(rendered(binding.resultTemplate, item)),
  );
}
