import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  Scalar,
} from 'yaml';
import { DeliveryError } from '../../../src/errors.ts';

/** Where something stands in a file; lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface ScalarTree {
  readonly kind: 'scalar';
  /** As written: Azure Pipelines reads every scalar as text (`1.0` stays `1.0`). */
  readonly text: string;
  /** True where an expression's offset is also an offset in the file's line. */
  readonly plain: boolean;
  readonly place: Place;
}

export interface MapEntry {
  readonly key: string;
  readonly keyPlace: Place;
  readonly value: Tree;
}

export interface MapTree {
  readonly kind: 'map';
  readonly entries: readonly MapEntry[];
  readonly place: Place;
}

export interface ListTree {
  readonly kind: 'list';
  readonly items: readonly Tree[];
  readonly place: Place;
}

export type Tree = ScalarTree | MapTree | ListTree;

/** An error that names the file, line and column. */
export function pipelineError(place: Place, message: string, remedy: string, cause?: unknown): DeliveryError {
  return new DeliveryError({
    code: 'PIPELINE_INVALID',
    side: 'input',
    message: `${place.file}:${place.line}:${place.column}: ${message}`,
    remedy,
    ...(cause === undefined ? {} : { cause }),
  });
}

type PlaceOf = (offset: number) => Place;

function scalarTree(node: Scalar, place: Place): ScalarTree {
  const isText = typeof node.value === 'string';
  const text = node.value === null ? '' : isText ? String(node.value) : (node.source ?? String(node.value));
  return { kind: 'scalar', text, plain: node.type === Scalar.PLAIN, place };
}

function toTree(node: Node | null | undefined, placeOf: PlaceOf, parent: Place): Tree {
  if (node === null || node === undefined) return { kind: 'scalar', text: '', plain: false, place: parent };
  const place = placeOf((node as ParsedNode).range[0]);
  if (isAlias(node))
    throw pipelineError(
      place,
      'YAML anchors and aliases are not understood by Azure Pipelines.',
      'Repeat the text.',
    );
  if (isScalar(node)) return scalarTree(node, place);
  if (isSeq(node))
    return { kind: 'list', items: node.items.map((item) => toTree(item as Node, placeOf, place)), place };
  if (!isMap(node))
    throw pipelineError(place, 'This YAML node is not understood.', 'Write a map, list or text.');
  const entries = node.items.map((pair): MapEntry => {
    const key = toTree(pair.key as Node, placeOf, place);
    if (key.kind !== 'scalar') throw pipelineError(key.place, 'A key must be text.', 'Quote it.');
    return { key: key.text, keyPlace: key.place, value: toTree(pair.value as Node, placeOf, key.place) };
  });
  return { kind: 'map', entries, place };
}

/** The tree of a YAML text. Throws PIPELINE_INVALID with file, line and column. */
export function parseYaml(text: string, file: string): Tree {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, keepSourceTokens: false });
  const placeOf: PlaceOf = (offset) => {
    const { line, col } = lineCounter.linePos(offset);
    return { file, line, column: col };
  };
  const [error] = document.errors;
  if (error !== undefined) {
    const [problem = error.message] = error.message.split(/ at line |\n/);
    throw pipelineError(
      placeOf(error.pos[0]),
      `${problem}.`,
      'Correct the YAML; check the indentation first.',
    );
  }
  return toTree(document.contents, placeOf, { file, line: 1, column: 1 });
}
