/** Searches what is here of an output, a part at a time, so that 20 MiB do not hold up the page. */
import { useEffect, useState } from 'react';
import { findAll, plainText } from './ansi';
import type { OutputBytes } from './bytes';

export interface Match {
  row: number;
  /** Which of the matches in its row. */
  nth: number;
}

export interface Search {
  matches: readonly Match[];
  /** There are more than are counted. */
  more: boolean;
  searching: boolean;
}

const MOST = 10_000;
const ROWS_AT_ONCE = 5000;
const AFTER_TYPING_MS = 200;
export const NOTHING: Search = { matches: [], more: false, searching: false };

/** Goes through it again when it has changed. */
export function useSearch(output: OutputBytes, version: number, wanted: string): Search {
  const [search, setSearch] = useState(NOTHING);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` stands for what is in it
  useEffect(() => {
    if (wanted === '') {
      setSearch(NOTHING);
      return;
    }
    let row = 0;
    const matches: Match[] = [];
    setSearch((before) => ({ ...before, searching: true }));
    const step = () => {
      const until = Math.min(row + ROWS_AT_ONCE, output.rowCount);
      for (; row < until && matches.length < MOST; row++) {
        const here = output.row(row);
        if (here.kind !== 'text') continue;
        const found = findAll(plainText(here.text), wanted);
        for (let nth = 0; nth < found.length; nth++) matches.push({ row, nth });
      }
      const more = matches.length >= MOST;
      const over = more || row >= output.rowCount;
      if (over) setSearch({ matches, more, searching: false });
      else timer = setTimeout(step, 0);
    };
    let timer = setTimeout(step, AFTER_TYPING_MS);
    return () => clearTimeout(timer);
  }, [output, version, wanted]);
  return search;
}
