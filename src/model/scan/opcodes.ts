/** What follows an opcode in the stream. */
type Argument =
  | 'none'
  | 'line'
  | 'lines'
  | 'byte'
  | 'two'
  | 'four'
  | 'eight'
  | 'length1'
  | 'length4'
  | 'length8';

/** What an opcode does to the stack, as far as an inspection must know. */
type Effect =
  | 'nothing'
  | 'push'
  | 'pushText'
  | 'pop'
  | 'popTwo'
  | 'replaceOne'
  | 'replaceTwo'
  | 'replaceThree'
  | 'mark'
  | 'popMark'
  | 'popMarkPush'
  | 'duplicate'
  | 'get'
  | 'put'
  | 'memoize'
  | 'global'
  | 'instance'
  | 'stackGlobal'
  | 'registered'
  | 'stop';

/** One opcode of the pickle machine. */
export interface Opcode {
  readonly argument: Argument;
  readonly effect: Effect;
}

function entry(code: string | number, argument: Argument, effect: Effect): readonly [number, Opcode] {
  return [typeof code === 'number' ? code : code.charCodeAt(0), { argument, effect }];
}

/** Protocols 0 to 5. https://github.com/python/cpython/blob/main/Lib/pickletools.py */
export const opcodes: ReadonlyMap<number, Opcode> = new Map([
  ...['N', '}', ']', ')', 0x88, 0x89, 0x8f, 0x97].map((code) => entry(code, 'none', 'push')),
  ...['F', 'I', 'L', 'P'].map((code) => entry(code, 'line', 'push')),
  ...['S', 'V'].map((code) => entry(code, 'line', 'pushText')),
  entry('K', 'byte', 'push'),
  entry('M', 'two', 'push'),
  entry('J', 'four', 'push'),
  ...['C', 0x8a].map((code) => entry(code, 'length1', 'push')),
  ...['B', 0x8b].map((code) => entry(code, 'length4', 'push')),
  ...[0x8e, 0x96].map((code) => entry(code, 'length8', 'push')),
  ...['U', 0x8c].map((code) => entry(code, 'length1', 'pushText')),
  ...['T', 'X'].map((code) => entry(code, 'length4', 'pushText')),
  ...['a', 'b', '0'].map((code) => entry(code, 'none', 'pop')),
  ...['R', 0x81, 0x86].map((code) => entry(code, 'none', 'replaceTwo')),
  ...[0x87, 0x92].map((code) => entry(code, 'none', 'replaceThree')),
  ...['Q', 0x85].map((code) => entry(code, 'none', 'replaceOne')),
  ...['1', 'e', 'u', 0x90].map((code) => entry(code, 'none', 'popMark')),
  ...['d', 'l', 't', 'o', 0x91].map((code) => entry(code, 'none', 'popMarkPush')),
  entry('G', 'eight', 'push'),
  entry(0x8d, 'length8', 'pushText'),
  entry('s', 'none', 'popTwo'),
  entry('(', 'none', 'mark'),
  entry('2', 'none', 'duplicate'),
  entry('g', 'line', 'get'),
  entry('h', 'byte', 'get'),
  entry('j', 'four', 'get'),
  entry('p', 'line', 'put'),
  entry('q', 'byte', 'put'),
  entry('r', 'four', 'put'),
  entry(0x94, 'none', 'memoize'),
  entry('c', 'lines', 'global'),
  entry('i', 'lines', 'instance'),
  entry(0x93, 'none', 'stackGlobal'),
  entry(0x82, 'byte', 'registered'),
  entry(0x83, 'two', 'registered'),
  entry(0x84, 'four', 'registered'),
  entry(0x80, 'byte', 'nothing'),
  entry(0x95, 'eight', 'nothing'),
  entry(0x98, 'none', 'nothing'),
  entry('.', 'none', 'stop'),
]);
