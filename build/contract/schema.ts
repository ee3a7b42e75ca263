import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { readTaskJson } from './taskJson.ts';

const schema: unknown = JSON.parse(readFileSync(new URL('./task.schema.json', import.meta.url), 'utf8'));

/** What the schema has against a task.json, each with its place. */
export function schemaProblems(name: string, document: unknown = readTaskJson(name)): string[] {
  const validate = new Ajv({ allErrors: true, strict: false }).compile(schema as object);
  if (validate(document)) return [];
  return (validate.errors ?? []).map(
    (error) => `${name}/task.json${error.instancePath}: ${error.message} ${JSON.stringify(error.params)}`,
  );
}
