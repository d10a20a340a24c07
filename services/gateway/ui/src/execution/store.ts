/**
 * The execution that is shown, for every part of its page: `useExecution()`, `useJobs()` and the like.
 *
 * A stream feeds it. Events are applied in batches, at most ten times a second; what they do not carry is read again soon after.
 * Parts re-render only for what they select, and rows that did not change stay the same objects.
 */
import { createContext, useContext, useEffect, useRef, useSyncExternalStore } from 'react';
import { api, take } from '@/api/client';
import { type Problem, problemOf } from '@/api/problem';
import { openStream, type StreamState } from '@/api/stream';
import type { ExecutionDetail } from '@/api/types';
import { isActive } from '@/theme/status';
import { type ExecutionEvent, executionEvent, TOPICS } from './event';
import type { ExecutionFacts } from './facts';
import type { JobLine, JobTable } from './jobTable';
import { type ExecutionState, withDetail, withEvents, withJobs, withSnapshot } from './state';

export type { ExecutionFacts } from './facts';
export type { JobLine, JobTable } from './jobTable';
export { hasEnded } from './jobTable';

/** A piece of live output. `offset` counts bytes from the beginning of the job's `stream`. */
export interface OutputPiece {
  jobId: string;
  stream: string;
  offset: number;
  text: string;
}

export interface ExecutionView {
  detail: ExecutionFacts;
  jobs: JobTable;
  /** When `detail` was read, in this browser's time (ms). */
  readAt: number;
  /** The log position that was heard of last: give it as `minPosition` to read no less than what is shown. */
  position: number;
  state: StreamState;
}

const BATCH_MS = 100;
const READ_AFTER_MS = 250;
const READ_AGAIN_MS = 1000;
const READ_LARGE_AGAIN_MS = 3000;
const LARGE = 200;
const PAGE = 200;
/** How many jobs without a known iteration are read one by one at a time. */
const VAGUE = 10;

export class ExecutionStore {
  private known: ExecutionState | null = null;
  private view: ExecutionView | null = null;
  private problem: Problem | null = null;
  private stream: StreamState = 'connecting';
  private readonly listeners = new Set<() => void>();
  private readonly outputs = new Map<string, Set<(piece: OutputPiece) => void>>();
  private gathered: ExecutionEvent[] = [];
  private batch: ReturnType<typeof setTimeout> | undefined;
  private reading: ReturnType<typeof setTimeout> | undefined;
  private readAt = 0;
  private isReading = false;
  private isLoadingJobs = false;
  private close: (() => void) | null = null;

  constructor(readonly executionId: string) {}

  /** Connects; the answer disconnects. */
  open(): () => void {
    const close = openStream({
      url: `/api/v1/executions/${this.executionId}/events`,
      topics: ['snapshot', 'output', ...TOPICS],
      onEvent: (topic, data, position) => this.hear(topic, data, position),
      onState: (state) => this.streamIs(state),
      resumeFrom: () => this.known?.heard ?? null,
    });
    this.close = close;
    return () => {
      close();
      this.close = null;
      clearTimeout(this.batch);
      clearTimeout(this.reading);
      this.batch = this.reading = undefined;
      this.gathered = [];
    };
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Null until the first snapshot. */
  current = (): ExecutionView | null => this.view;

  /** Why there is nothing to show; null if there is, or may be soon. */
  refusal = (): Problem | null => this.problem;

  onOutput(jobId: string, listener: (piece: OutputPiece) => void): () => void {
    const listeners = this.outputs.get(jobId) ?? new Set();
    this.outputs.set(jobId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.outputs.get(jobId) === listeners) this.outputs.delete(jobId);
    };
  }

  /** Reads the detail again, not older than `position`: after a command, to see what it did. */
  async refresh(position?: number): Promise<void> {
    await this.read(position ?? this.known?.heard);
  }

  private hear(topic: string, data: unknown, position: number | null): void {
    if (topic === 'output') {
      const piece = data as OutputPiece;
      for (const listener of this.outputs.get(piece.jobId) ?? []) listener(piece);
      return;
    }
    if (topic === 'snapshot') {
      this.apply();
      this.become(withSnapshot(this.known, data as ExecutionDetail, Date.now()));
      this.loadJobs((data as ExecutionDetail).jobsCursor, position ?? (data as ExecutionDetail).asOf);
      return;
    }
    const event = executionEvent(topic, data);
    if (event === null) return;
    this.gathered.push(event);
    this.batch ??= setTimeout(() => this.apply(), BATCH_MS);
  }

  private apply(): void {
    clearTimeout(this.batch);
    this.batch = undefined;
    const { gathered, known } = this;
    this.gathered = [];
    if (known === null || gathered.length === 0) return;
    const next = withEvents(known, gathered);
    if (next === known) return;
    this.become(next);
    this.readSoon(READ_AFTER_MS);
  }

  private streamIs(state: StreamState): void {
    if (state === 'ended') this.apply();
    this.stream = state;
    if (state === 'reconnecting') {
      // it may be only the stream that cannot be had
      if (this.known === null) void this.explain();
      else this.readSoon(READ_AGAIN_MS);
    }
    this.show();
  }

  /** A stream that is refused does not say why: the detail does. */
  private async explain(): Promise<void> {
    try {
      await take(api.GET('/api/v1/executions/{executionId}', { params: { path: { executionId: this.executionId } } }));
    } catch (error) {
      const problem = problemOf(error);
      if (problem.status === 404 || problem.status === 403 || problem.status === 400) this.close?.();
      this.problem = problem;
      this.show();
    }
  }

  private readSoon(after: number): void {
    const again = (this.known?.detail.jobCounts.total ?? 0) > LARGE ? READ_LARGE_AGAIN_MS : READ_AGAIN_MS;
    const due = Math.max(after, this.readAt + again - Date.now());
    this.reading ??= setTimeout(() => {
      this.reading = undefined;
      void this.read(this.known?.heard);
    }, due);
  }

  private async read(minPosition: number | undefined): Promise<void> {
    if (this.isReading) {
      this.readSoon(READ_AFTER_MS);
      return;
    }
    this.isReading = true;
    this.readAt = Date.now();
    try {
      const path = { executionId: this.executionId };
      const answer = await take(
        api.GET('/api/v1/executions/{executionId}', { params: { path, query: { minPosition } } }),
      );
      if (this.known !== null) this.become(withDetail(this.known, answer, Date.now()));
      await this.clarify(minPosition ?? 0);
    } catch (error) {
      // that the connection is lost is said by the stream; what is refused is refused again
      const { status } = problemOf(error);
      if ((status < 400 || status >= 500) && this.close !== null) this.readSoon(READ_LARGE_AGAIN_MS);
    } finally {
      this.isReading = false;
    }
  }

  /** Jobs of iterations that had begun before this page was opened do not say which those are. */
  private async clarify(asOf: number): Promise<void> {
    const vague = [...(this.known?.jobs.vague ?? [])].slice(0, VAGUE);
    const rows = await Promise.all(
      vague.map((jobId) =>
        take(
          api.GET('/api/v1/executions/{executionId}/jobs/{jobId}', {
            params: { path: { executionId: this.executionId, jobId }, query: { minPosition: asOf } },
          }),
        ),
      ),
    );
    if (this.known !== null && rows.length > 0) {
      this.become(withJobs(this.known, rows, asOf, false));
      if (this.known.jobs.vague.size > 0) this.readSoon(READ_AGAIN_MS);
    }
  }

  private async loadJobs(cursor: string | null, asOf: number): Promise<void> {
    if (cursor === null || this.isLoadingJobs) return;
    this.isLoadingJobs = true;
    let next: string | null = cursor;
    try {
      while (next !== null && this.close !== null && this.known !== null) {
        const page: { items: Parameters<typeof withJobs>[1]; nextCursor: string | null } = await take(
          api.GET('/api/v1/executions/{executionId}/jobs', {
            params: {
              path: { executionId: this.executionId },
              query: { cursor: next, limit: PAGE, minPosition: asOf },
            },
          }),
        );
        next = page.nextCursor;
        this.become(withJobs(this.known, page.items, asOf, next === null));
      }
    } catch {
      // whatever lost this page loses the stream too, or the next detail says that jobs are missing
      setTimeout(() => void this.loadJobs(next, asOf), READ_LARGE_AGAIN_MS);
    } finally {
      this.isLoadingJobs = false;
    }
  }

  private become(next: ExecutionState): void {
    this.known = next;
    this.problem = null;
    this.show();
  }

  private show(): void {
    const { known } = this;
    this.view =
      known === null
        ? null
        : {
            detail: known.detail,
            jobs: known.jobs,
            readAt: known.readAt,
            position: known.heard,
            state: this.stream,
          };
    for (const each of this.listeners) each();
  }
}

export const ExecutionContext = createContext<ExecutionStore | null>(null);

export function useExecutionStore(): ExecutionStore {
  const store = useContext(ExecutionContext);
  if (store === null) throw new Error('used outside of an execution');
  return store;
}

function useSelected<T>(select: (view: ExecutionView) => T): T {
  const store = useExecutionStore();
  return useSyncExternalStore(store.subscribe, () => {
    const view = store.current();
    if (view === null) throw new Error('used before the execution is known');
    return select(view);
  });
}

const detailOf = (view: ExecutionView) => view.detail;
const jobsOf = (view: ExecutionView) => view.jobs;
const stateOf = (view: ExecutionView) => view.state;
const positionOf = (view: ExecutionView) => view.position;
const readAtOf = (view: ExecutionView) => view.readAt;

/** Everything but the jobs; re-renders when anything happens. */
export function useExecution(): ExecutionFacts {
  return useSelected(detailOf);
}

/** All jobs; re-renders when one of them changes. */
export function useJobs(): JobTable {
  return useSelected(jobsOf);
}

/** One job; undefined: there is none, or its page has not come yet. */
export function useJob(jobId: string | null): JobLine | undefined {
  return useSelected((view) => (jobId === null ? undefined : view.jobs.byId.get(jobId)));
}

export function useStreamState(): StreamState {
  return useSelected(stateOf);
}

/** See `ExecutionView.position`. */
export function usePosition(): number {
  return useSelected(positionOf);
}

/** See `ExecutionView.readAt`. */
export function useReadAt(): number {
  return useSelected(readAtOf);
}

/** Whether the execution can still change its status. */
export function useActive(): boolean {
  return useSelected((view) => isActive(view.detail.status));
}

/** Hears the live output of a job for as long as the component is shown. */
export function useOutputPieces(jobId: string | null, onPiece: (piece: OutputPiece) => void): void {
  const store = useExecutionStore();
  const handler = useRef(onPiece);
  handler.current = onPiece;
  useEffect(
    () => (jobId === null ? undefined : store.onOutput(jobId, (piece) => handler.current(piece))),
    [store, jobId],
  );
}
