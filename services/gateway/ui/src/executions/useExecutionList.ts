/** The list and how it stays true: by a stream; while that is away, by asking every 15 s as long as something is active (R5). */
import { useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from 'react';
import { api, take } from '@/api/client';
import type { StreamState } from '@/api/stream';
import { useStream } from '@/api/streamHook';
import type { ExecutionRow, StatusCount } from '@/api/types';
import { isActive } from '@/theme/status';
import { type Filter, firstPage, PAGE, queryOf, writeFilter } from './filter';
import { anyActive, loaded, NO_ROWS, type Rows, withOlder, withPage, withReread, withRow } from './rows';

const REFETCH_MS = 15_000;
const TOPICS = ['page', 'execution', 'gone', 'counts'] as const;

type Action =
  | { type: 'loaded'; rows: readonly ExecutionRow[] }
  | { type: 'more'; rows: readonly ExecutionRow[] }
  | { type: 'page'; rows: readonly ExecutionRow[] }
  | { type: 'row'; row: ExecutionRow }
  | { type: 'reread'; rows: readonly ExecutionRow[] };

function reduce(rows: Rows, action: Action): Rows {
  switch (action.type) {
    case 'loaded':
      return loaded(action.rows);
    case 'more':
      return withOlder(rows, action.rows);
    case 'page':
      return withPage(rows, action.rows);
    case 'row':
      return withRow(rows, action.row);
    case 'reread':
      return withReread(rows, action.rows);
  }
}

export interface ExecutionList {
  rows: Rows;
  /** How many there are of each status, by what else is filtered; undefined until that is known. */
  counts: readonly StatusCount[] | undefined;
  /** Of the first page. */
  isPending: boolean;
  error: unknown;
  state: StreamState;
  hasMore: boolean;
  isLoadingMore: boolean;
  moreError: unknown;
  loadMore: () => void;
  /** The list anew, with what is new on top. */
  reload: () => Promise<void>;
}

export function useExecutionList(filter: Filter): ExecutionList {
  const address = writeFilter(filter).toString();
  const [rows, dispatch] = useReducer(reduce, NO_ROWS);
  const [cursor, setCursor] = useState<string | null>(null);
  const [more, setMore] = useState<{ loading: boolean; error: unknown }>({ loading: false, error: null });

  const first = useQuery({
    queryKey: ['executions', address],
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
    queryFn: ({ signal }) =>
      take(api.GET('/api/v1/executions', { params: { query: firstPage(filter, Date.now()) }, signal })),
  });
  // What began the last time the list was loaded: a range ends now.
  const since = filter.range === null ? 0 : first.dataUpdatedAt;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the address is the filter
  const query = useMemo(() => queryOf(filter, since), [address, since]);
  useEffect(() => {
    if (first.data === undefined) return;
    dispatch({ type: 'loaded', rows: first.data.items });
    setCursor(first.data.nextCursor);
  }, [first.data]);

  const reread = useCallback(async (executionIds: readonly string[]) => {
    const found = await Promise.all(
      executionIds.map((q) => take(api.GET('/api/v1/executions', { params: { query: { q, limit: 1 } } }))),
    );
    dispatch({ type: 'reread', rows: found.flatMap((each) => each.items) });
  }, []);

  const ready = first.data !== undefined;
  const shown = useRef(rows);
  shown.current = rows;
  const [told, setTold] = useState<readonly StatusCount[]>();
  const state = useStream(ready ? streamAddress(query) : null, TOPICS, (topic, data) => {
    if (topic === 'page') dispatch({ type: 'page', rows: (data as { items: ExecutionRow[] }).items });
    else if (topic === 'execution') dispatch({ type: 'row', row: data as ExecutionRow });
    else if (topic === 'counts') {
      const { statuses } = data as { statuses?: StatusCount[] };
      if (statuses !== undefined) setTold(statuses);
    } else {
      // It has left the first page: by newer ones, or because it has changed. Where it is shown it still says how it stands.
      const { executionId } = data as { executionId: string };
      const row = shown.current.shown.find((each) => each.executionId === executionId);
      if (row && isActive(row.status)) reread([executionId]).catch(untilNextTurn);
    }
  });

  // Rows below the first page, and all of them while there is no stream.
  const active = anyActive(rows);
  useEffect(() => {
    if (!active) return;
    const timer = setInterval(() => {
      const from = state === 'live' ? PAGE : 0;
      const asked = shown.current.shown.slice(from).filter((each) => isActive(each.status));
      reread(asked.slice(0, PAGE).map((each) => each.executionId)).catch(untilNextTurn);
    }, REFETCH_MS);
    return () => clearInterval(timer);
  }, [active, state, reread]);

  // The stream tells them; while it is away they are asked for.
  const counts = useQuery({
    queryKey: ['executions', 'counts', address],
    enabled: state === 'reconnecting',
    refetchInterval: active ? REFETCH_MS : false,
    queryFn: async ({ signal }) => {
      const { status: _any, ...others } = queryOf(filter, Date.now());
      return (await take(api.GET('/api/v1/executions/counts', { params: { query: others }, signal }))).statuses;
    },
  });

  const loadMore = useCallback(async () => {
    if (cursor === null) return;
    setMore({ loading: true, error: null });
    try {
      const page = await take(api.GET('/api/v1/executions', { params: { query: { ...query, limit: PAGE, cursor } } }));
      dispatch({ type: 'more', rows: page.items });
      setCursor(page.nextCursor);
      setMore({ loading: false, error: null });
    } catch (error) {
      setMore({ loading: false, error });
    }
  }, [cursor, query]);

  const { refetch } = first;
  const reload = useCallback(async () => {
    await refetch();
  }, [refetch]);

  return {
    rows: first.isPending ? NO_ROWS : rows,
    counts: state === 'reconnecting' ? (counts.data ?? told) : told,
    isPending: first.isPending,
    error: first.error,
    state,
    hasMore: cursor !== null,
    isLoadingMore: more.loading,
    moreError: more.error,
    loadMore,
    reload,
  };
}

/** That the connection is lost is shown by the state of the stream; the next turn asks again. */
function untilNextTurn(): void {}

function streamAddress(query: ReturnType<typeof queryOf>): string {
  const params = new URLSearchParams({ limit: String(PAGE) });
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) params.append(name, String(each));
  }
  return `/api/v1/executions/stream?${params}`;
}
