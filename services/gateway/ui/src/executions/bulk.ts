import { problemOf } from '@/api/problem';

const AT_ONCE = 4;

/** Does it for each, a few at a time: in words, how many went well, and why the first of the others did not. */
export async function together<T>(
  all: readonly T[],
  done: string,
  run: (each: T) => Promise<unknown>,
): Promise<string> {
  const left = [...all];
  let well = 0;
  let first: string | null = null;
  const worker = async () => {
    for (let each = left.shift(); each !== undefined; each = left.shift()) {
      try {
        await run(each);
        well += 1;
      } catch (error) {
        first ??= problemOf(error).detail;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return first === null ? `${done} ${well}` : `${done} ${well} of ${all.length}. Not all: ${first}`;
}
