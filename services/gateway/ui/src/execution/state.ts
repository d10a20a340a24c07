/**
 * What is known of an execution, and how answers and events change it. Pure.
 *
 * The facts are those that the API gave at some log position (the base), with the events after it applied. When they are read
 * again, the newer answer is the new base, and the events that it does not hold are applied to it; an older answer is passed
 * over. So nothing is applied twice and nothing goes back, in whatever order answers and events arrive.
 */
import { replaceEqualDeep } from '@tanstack/react-query';
import type { ExecutionDetail, JobRow } from '@/api/types';
import { type ExecutionEvent, text } from './event';
import { type ExecutionFacts, withFactsOf } from './facts';
import { type JobTable, type Names, NO_JOBS, withJobEvents, withRows } from './jobTable';

export interface ExecutionState {
  readonly detail: ExecutionFacts;
  readonly jobs: JobTable;
  /** When the base was read, in this browser's time: what ticks goes on from there. */
  readonly readAt: number;
  /** The last position that the stream told of: from there it goes on after a lost connection. */
  readonly heard: number;
  /** Of the base. */
  readonly baseAsOf: number;
  /** Those that the base, or a page of jobs that is still to come, may not hold; in order. */
  readonly events: readonly ExecutionEvent[];
  /** The paths (`each[3]`) of the iterations that were heard of, by their streams. */
  readonly paths: ReadonlyMap<string, string>;
}

/** What a stream begins with. `cursor`, if there is one, leads to the jobs that are not in it. */
export function withSnapshot(state: ExecutionState | null, answer: ExecutionDetail, readAt: number): ExecutionState {
  if (state === null) return based(null, answer, readAt);
  // jobs beyond the first 200 may have changed unheard: they are read again
  const later = { ...state, jobs: { ...state.jobs, complete: false }, heard: Math.max(state.heard, answer.asOf) };
  return withDetail(later, answer, readAt);
}

/** The detail, read again. */
export function withDetail(state: ExecutionState, answer: ExecutionDetail, readAt: number): ExecutionState {
  return answer.asOf < state.baseAsOf ? state : based(state, answer, readAt);
}

function based(state: ExecutionState | null, answer: ExecutionDetail, readAt: number): ExecutionState {
  const { jobs, jobsCursor, ...facts } = answer;
  const known = state?.jobs ?? NO_JOBS;
  const events = state?.events ?? [];
  const table = withRows(known, jobs, answer.asOf, events, known.complete || jobsCursor === null);
  const now = events.filter((event) => event.position > answer.asOf).reduce(withFactsOf, facts);
  return {
    // rows that say what they said stay the same objects, so that nothing is drawn again for them
    detail: state === null ? now : replaceEqualDeep(state.detail, now),
    jobs: table,
    readAt,
    heard: state?.heard ?? answer.asOf,
    baseAsOf: answer.asOf,
    events: table.complete ? events.filter((event) => event.position > answer.asOf) : events,
    paths: state?.paths ?? new Map(),
  };
}

/** Further jobs, read at `asOf` or later; `complete`: the last of them. */
export function withJobs(
  state: ExecutionState,
  rows: readonly JobRow[],
  asOf: number,
  complete: boolean,
): ExecutionState {
  const jobs = withRows(state.jobs, rows, asOf, state.events, state.jobs.complete || complete);
  const events = jobs.complete ? state.events.filter((event) => event.position > state.baseAsOf) : state.events;
  return { ...state, jobs, events };
}

/** What the stream told, in its order; events that were heard already are passed over. */
export function withEvents(state: ExecutionState, told: readonly ExecutionEvent[]): ExecutionState {
  const fresh: ExecutionEvent[] = [];
  let heard = state.heard;
  for (const event of told) {
    if (event.position <= heard) continue;
    heard = event.position;
    fresh.push(event);
  }
  if (fresh.length === 0) return state;
  const paths = pathsOf(state, fresh);
  const names: Names = {
    node: (nodeId) => state.detail.nodes.find((each) => each.nodeId === nodeId)?.name ?? null,
    path: (iteration) => paths.get(iteration) ?? null,
  };
  const after = fresh.filter((event) => event.position > state.baseAsOf);
  return {
    ...state,
    detail: after.reduce(withFactsOf, state.detail),
    jobs: withJobEvents(state.jobs, fresh, names),
    heard,
    events: [...state.events, ...(state.jobs.complete ? after : fresh)],
    paths,
  };
}

/** An iteration says its path when it begins; of one that had begun before, its known jobs tell. */
function pathsOf(state: ExecutionState, events: readonly ExecutionEvent[]): ReadonlyMap<string, string> {
  let paths: Map<string, string> | null = null;
  for (const event of events) {
    if (event.iteration === null || (paths ?? state.paths).has(event.iteration)) continue;
    const jobId = text(event, 'jobId');
    const path =
      event.topic === 'iteration.started'
        ? text(event, 'path')
        : jobId === null
          ? null
          : (state.jobs.byId.get(jobId)?.item ?? null);
    if (path === null) continue;
    paths ??= new Map(state.paths);
    paths.set(event.iteration, path);
  }
  return paths ?? state.paths;
}
