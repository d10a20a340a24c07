/**
 * All jobs of an execution: the first 200 come with its detail, the others page by page, new ones by events. Pure.
 *
 * Each row remembers the log position that it stands for, so that neither an old page nor an old event changes it, and a job
 * that has ended stays as it ended.
 */
import type { JobRow, JobStatus } from '@/api/types';
import { type ErrorInfo, type ExecutionEvent, number, text } from './event';

/**
 * A job as lists show it. Its output is not kept (thousands of jobs may have a lot of it): read the job to show it. `durationMs`
 * is null until it has ended: it is counted from `startedAt`.
 */
export type JobLine = Omit<JobRow, 'output'>;

export interface JobTable {
  /** In the order in which they were queued, which is that of their ids. Rows that did not change stay the same objects. */
  readonly list: readonly JobLine[];
  readonly byId: ReadonlyMap<string, JobLine>;
  /** Whether all jobs are here; else the others are on their way. */
  readonly complete: boolean;
  /** The log position that each row stands for. */
  readonly positions: ReadonlyMap<string, number>;
  /** Jobs that events told of, but not what their node is called or in which iteration they are. */
  readonly vague: ReadonlySet<string>;
}

export const NO_JOBS: JobTable = {
  list: [],
  byId: new Map(),
  complete: false,
  positions: new Map(),
  vague: new Set(),
};

const ENDED: ReadonlySet<JobStatus> = new Set(['completed', 'failed', 'timeout', 'cancelled']);

export function hasEnded(status: JobStatus): boolean {
  return ENDED.has(status);
}

/** Names for what events only identify. */
export interface Names {
  node: (nodeId: string) => string | null;
  /** The path of an iteration (`each[3]`) by its stream, if it is known. */
  path: (iteration: string) => string | null;
}

/** The rows that a page of the API gave at `asOf`; `later`: the events that may be newer than it. */
export function withRows(
  table: JobTable,
  rows: readonly JobRow[],
  asOf: number,
  later: readonly ExecutionEvent[],
  complete: boolean,
): JobTable {
  const draft = new Draft(table);
  const read = new Set<string>();
  const names = new Map<string, string>();
  for (const row of rows) {
    const known = table.byId.get(row.jobId);
    draft.vague.delete(row.jobId);
    names.set(row.nodeId, row.nodeName);
    if (known && ((table.positions.get(row.jobId) ?? 0) > asOf || (hasEnded(known.status) && !hasEnded(row.status)))) {
      draft.put({ ...known, nodeName: row.nodeName, item: row.item }, table.positions.get(row.jobId) ?? 0);
    } else {
      draft.put(lineOf(row), asOf);
      read.add(row.jobId);
    }
  }
  for (const jobId of draft.vague) {
    const row = draft.get(jobId);
    const nodeName = row && names.get(row.nodeId);
    if (row && nodeName !== undefined) draft.put({ ...row, nodeName }, draft.position(jobId));
  }
  for (const event of later) {
    const jobId = text(event, 'jobId');
    if (jobId !== null && read.has(jobId)) applyToKnown(draft, event, jobId);
  }
  return draft.table(complete);
}

/** The table after these events; `started` jobs are made from them. */
export function withJobEvents(table: JobTable, events: readonly ExecutionEvent[], names: Names): JobTable {
  const draft = new Draft(table);
  for (const event of events) {
    const jobId = text(event, 'jobId');
    if (jobId === null || !event.topic.startsWith('job.')) continue;
    if (event.topic === 'job.scheduled' && !draft.has(jobId)) scheduled(draft, event, jobId, names);
    else applyToKnown(draft, event, jobId);
  }
  return draft.table(table.complete);
}

function scheduled(draft: Draft, event: ExecutionEvent, jobId: string, names: Names): void {
  const nodeId = text(event, 'nodeId') ?? '';
  const item = event.iteration === null ? null : names.path(event.iteration);
  const name = (event.iteration === null ? names.node(nodeId) : null) ?? draft.nodeName(nodeId);
  if ((event.iteration !== null && item === null) || name === null) draft.vague.add(jobId);
  draft.put(
    {
      jobId,
      nodeId,
      nodeName: name ?? nodeId,
      item,
      actionType: text(event, 'action') ?? '',
      attempt: number(event, 'attempt') ?? 1,
      status: 'pending',
      agent: null,
      queuedAt: event.time,
      dispatchedAt: null,
      startedAt: null,
      finishedAt: null,
      durationMs: null,
      error: null,
    },
    event.position,
  );
}

function applyToKnown(draft: Draft, event: ExecutionEvent, jobId: string): void {
  const row = draft.get(jobId);
  if (row === undefined || draft.position(jobId) >= event.position) return;
  const change = changeOf(event, row);
  if (change !== null) draft.put({ ...row, ...change }, event.position);
}

function changeOf(event: ExecutionEvent, row: JobLine): Partial<JobLine> | null {
  if (hasEnded(row.status)) return null;
  switch (event.topic) {
    case 'job.dispatched':
      return row.status === 'running'
        ? null
        : { status: 'dispatched', agent: text(event, 'agent'), dispatchedAt: event.time };
    case 'job.requeued':
      return row.status === 'running' ? null : { status: 'pending', agent: null, dispatchedAt: null };
    case 'job.started':
      return {
        status: 'running',
        agent: text(event, 'agent'),
        dispatchedAt: text(event, 'dispatchedAt') ?? row.dispatchedAt,
        startedAt: event.time,
      };
    case 'job.completed':
      return ended('completed', event, null);
    case 'job.failed':
      return ended('failed', event, errorOf(event));
    case 'job.timed_out':
      return ended('timeout', event, errorOf(event));
    case 'job.cancelled':
      return ended('cancelled', event, { reason: 'cancelled', message: text(event, 'reason') ?? '' });
    default:
      return null;
  }
}

/** A duration of 0 means that no agent measured one. */
function ended(status: JobStatus, event: ExecutionEvent, error: ErrorInfo | null): Partial<JobLine> {
  return { status, finishedAt: event.time, durationMs: number(event, 'durationMs') || null, error };
}

function errorOf(event: ExecutionEvent): ErrorInfo | null {
  const error = event.data.error;
  return typeof error === 'object' && error !== null ? (error as ErrorInfo) : null;
}

function lineOf({ output: _output, ...line }: JobRow): JobLine {
  return hasEnded(line.status) ? line : { ...line, durationMs: null };
}

function same(one: JobLine, other: JobLine): boolean {
  return (Object.keys(one) as (keyof JobLine)[]).every(
    (key) => one[key] === other[key] || (key === 'error' && JSON.stringify(one.error) === JSON.stringify(other.error)),
  );
}

/** A table being changed; copies what it must, once, however many rows change. */
class Draft {
  private rows: Map<string, JobLine> | null = null;
  private moved: Map<string, number>;
  private names: Map<string, string> | null = null;
  private grown = false;
  readonly vague: Set<string>;

  constructor(private readonly old: JobTable) {
    this.moved = new Map();
    this.vague = new Set(old.vague);
  }

  has(jobId: string): boolean {
    return this.get(jobId) !== undefined;
  }

  get(jobId: string): JobLine | undefined {
    return (this.rows ?? this.old.byId).get(jobId);
  }

  position(jobId: string): number {
    return this.moved.get(jobId) ?? this.old.positions.get(jobId) ?? 0;
  }

  put(row: JobLine, position: number): void {
    const known = this.get(row.jobId);
    this.moved.set(row.jobId, position);
    if (known !== undefined && same(row, known)) return;
    this.rows ??= new Map(this.old.byId);
    this.rows.set(row.jobId, row);
    if (known === undefined) this.grown = true;
  }

  /** What other jobs of the node are called. */
  nodeName(nodeId: string): string | null {
    if (this.names === null) {
      this.names = new Map();
      for (const row of this.old.list) if (!this.old.vague.has(row.jobId)) this.names.set(row.nodeId, row.nodeName);
    }
    return this.names.get(nodeId) ?? null;
  }

  table(complete: boolean): JobTable {
    const { old } = this;
    const vague =
      this.vague.size === old.vague.size && [...this.vague].every((each) => old.vague.has(each))
        ? old.vague
        : this.vague;
    if (this.moved.size === 0 && complete === old.complete && vague === old.vague) return old;
    const positions = new Map([...old.positions, ...this.moved]);
    if (this.rows === null) return { ...old, complete, positions, vague };
    const list = this.grown ? [...this.rows.values()].sort(byId) : old.list.map((row) => this.get(row.jobId) ?? row);
    return { list, byId: this.rows, complete, positions, vague };
  }
}

function byId(one: JobLine, other: JobLine): number {
  return one.jobId < other.jobId ? -1 : one.jobId > other.jobId ? 1 : 0;
}
