/** Numbers from 0 up to 1, the same for the same start; Lehmer, MINSTD. */
export function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
