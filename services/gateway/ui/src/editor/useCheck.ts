/** What the server says of the text, a moment after the last keystroke. */
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { type Checked, check } from './api';
import { lineOf, type Placed, placed } from './places';
import type { Parsed } from './text/parsed';

const EMPTY = 'There is nothing here yet: a workflow begins with its name, and has nodes and edges';
const NOTHING: Checked = { errors: [], warnings: [] };

export interface Check {
  problems: readonly Placed[];
  /** The text that is there now has been looked at. */
  current: boolean;
  error: unknown;
}

/** What a save or a publish found besides, for the text that it was about. */
export interface Refused {
  text: string;
  errors: Checked['errors'];
}

export function useCheck(parsed: Parsed, enabled: boolean, refused: Refused | null): Check {
  const { text, problem } = parsed;
  const [still] = useDebouncedValue(text, 500);
  const asked = enabled && problem === null && still === text && text.trim() !== '';
  const { data, error, isPlaceholderData } = useQuery({
    queryKey: ['checkWorkflow', still],
    queryFn: ({ signal }) => check(still, signal),
    enabled: asked,
    staleTime: 30_000,
    gcTime: 60_000,
    placeholderData: keepPreviousData,
  });
  const problems = useMemo(() => {
    const isEmpty = text.trim() === '';
    if (problem !== null || isEmpty) {
      const { from, to } = problem ?? { from: 0, to: 0 };
      const message = problem === null ? EMPTY : `Not YAML: ${problem.message}`;
      const found: Placed = { severity: 'error', path: '', message, from, to, line: lineOf(text, from), node: null };
      return [found];
    }
    const { errors, warnings } = data ?? NOTHING;
    const more = refused?.text === text ? refused.errors : [];
    const all = [
      ...errors,
      ...more.filter((each) => !errors.some((one) => one.path === each.path && one.message === each.message)),
    ];
    return [
      ...all.map((each) => placed(parsed, each, 'error')),
      ...warnings.map((each) => placed(parsed, each, 'warning')),
    ].sort((one, other) => one.from - other.from);
  }, [parsed, text, problem, data, refused]);
  return {
    problems,
    current: problem !== null || text.trim() === '' || (asked && data !== undefined && !isPlaceholderData),
    error: asked ? error : null,
  };
}
