import type { Opcode } from './opcodes.ts';

/** Something that a pickle imports. */
export interface Import {
  readonly module: string;
  readonly name: string;
}

/** A text on the stack, a mark, or anything else. */
type Value = string | typeof mark | undefined;

const mark = Symbol('mark');
/** Larger stacks and memos than any real model has; an inspection must not be made to fill the memory. */
const mostValues = 2_000_000;
const largestKey = 2 ** 27;
/** Letters of texts that are kept for one pickle; an import by one that is not kept counts as computed. */
const mostLetters = 64 * 1024 * 1024;

/** The stream is no pickle, or not one that can be followed. */
export class NotFollowed extends Error {}

/** It goes beyond what an inspection keeps, and what any real model needs. */
export class OverLimit extends NotFollowed {}

/** What an opcode's argument was, as far as it is of interest. */
export interface Operand {
  /** A text of no more than a few hundred bytes. */
  readonly text?: string;
  /** Key of the memo. */
  readonly key?: number;
  readonly imported?: Import;
}

const computed: Import = { module: '?', name: '?' };

/** A set of small numbers, a bit each: memos of millions of values are common. */
function keySet(): { readonly size: number; add(key: number): void } {
  let bits = new Uint8Array(1024);
  let size = 0;
  return {
    get size() {
      return size;
    },
    add(key) {
      if (!Number.isSafeInteger(key) || key < 0 || key > largestKey) {
        throw new OverLimit('its memo has keys that no real model has');
      }
      const at = key >> 3;
      if (at >= bits.length) {
        const larger = new Uint8Array(Math.max(at + 1, bits.length * 2));
        larger.set(bits);
        bits = larger;
      }
      const bit = 1 << (key & 7);
      const byte = bits[at] ?? 0;
      if ((byte & bit) === 0) size += 1;
      bits[at] = byte | bit;
    },
  };
}

/** Follows a pickle without doing what it says: only texts and imports are kept. */
export interface Machine {
  /** Runs one opcode; gives what it imports. */
  step(opcode: Opcode, operand: Operand): Import | undefined;
}

/** A machine with an empty stack. */
export function createMachine(): Machine {
  const stack: Value[] = [];
  const memo = new Map<number, string>();
  let letters = 0;
  const keys = keySet();

  const push = (value: Value): undefined => {
    if (stack.length >= mostValues) throw new OverLimit('its stack is larger than that of any real model');
    stack.push(value);
  };
  const popMark = (): undefined => {
    const at = stack.lastIndexOf(mark);
    if (at < 0) throw new NotFollowed('a mark is missing');
    stack.length = at;
  };
  const replace = (count: number): undefined => {
    stack.length = Math.max(0, stack.length - count);
    push(undefined);
  };
  const remember = (key: number): undefined => {
    keys.add(key);
    const top = stack.at(-1);
    if (typeof top !== 'string') memo.delete(key);
    else if (memo.size < mostValues) memo.set(key, top);
    else throw new OverLimit('its memo is larger than that of any real model');
  };
  const stackGlobal = (): Import => {
    const [name, module] = [stack.pop(), stack.pop()];
    push(undefined);
    // A name that is not a plain text is computed: what it is cannot be known without running it.
    return { module: typeof module === 'string' ? module : '?', name: typeof name === 'string' ? name : '?' };
  };

  const effects: Readonly<Record<Opcode['effect'], (operand: Operand) => Import | undefined>> = {
    nothing: () => undefined,
    stop: () => undefined,
    push: () => push(undefined),
    pushText: ({ text = '' }) => {
      letters += text.length;
      return push(text === '' || letters > mostLetters ? undefined : text);
    },
    pop: () => void stack.pop(),
    popTwo: () => void stack.splice(Math.max(0, stack.length - 2)),
    replaceOne: () => replace(1),
    replaceTwo: () => replace(2),
    replaceThree: () => replace(3),
    mark: () => push(mark),
    popMark,
    popMarkPush: () => {
      popMark();
      return push(undefined);
    },
    duplicate: () => push(stack.at(-1)),
    get: ({ key }) => push(key === undefined ? undefined : memo.get(key)),
    put: ({ key }) => (key === undefined ? undefined : remember(key)),
    // The number of keys, whatever they are: PUT may have used others.
    memoize: () => remember(keys.size),
    global: ({ imported }) => {
      push(undefined);
      return imported;
    },
    instance: ({ imported }) => {
      popMark();
      push(undefined);
      return imported;
    },
    stackGlobal,
    registered: () => {
      push(undefined);
      // By its number in a registry of the process, into which the pickle itself can put it.
      return computed;
    },
  };
  return { step: (opcode, operand) => effects[opcode.effect](operand) };
}
