/** What two people made of one text, put together line by line: a change stands where the other one left the text alone. Pure. */
import { diff3Merge } from 'node-diff3';

export interface Merged {
  text: string;
  /** So many places both have changed, and not alike: there it says what `preferred` does. */
  disputed: number;
}

export function merged(before: string, mine: string, theirs: string, preferred: 'mine' | 'theirs'): Merged {
  const [a, o, b] = [mine, before, theirs].map((each) => each.split(/\r?\n/)) as [string[], string[], string[]];
  const regions = diff3Merge(a, o, b);
  return {
    text: regions
      .flatMap(({ ok, conflict }) => ok ?? (preferred === 'mine' ? conflict?.a : conflict?.b) ?? [])
      .join('\n'),
    disputed: regions.filter(({ conflict }) => conflict !== undefined).length,
  };
}
