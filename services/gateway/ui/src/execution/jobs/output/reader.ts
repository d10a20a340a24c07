/**
 * Reads an output: the beginning and the end of it at once, what lies between when it is asked for, and what is written while it is
 * shown as it comes. Live pieces may be lost or come late; every hole is read from the server until nothing of it is left to come.
 */
import { api } from '@/api/client';
import { Problem, problemOf } from '@/api/problem';
import { OutputBytes, type Range } from './bytes';

/** An answer of GET …/output?offset=. */
export interface Part {
  offset: number;
  bytes: Uint8Array;
  size: number;
  sealed: boolean;
  sha256: string | null;
  missing: Range | null;
}

export type ReadPart = (offset: number, limit: number, signal: AbortSignal) => Promise<Part>;

export interface Reading {
  output: OutputBytes;
  /** The first answer has come. */
  known: boolean;
  /** Deleted, because its time was over. */
  expired: boolean;
  /** Why the last attempt to read failed; it is tried again. */
  problem: Problem | null;
  /** `output.version` at the time: another one, another state. */
  version: number;
}

const HEAD = 64 * 1024;
const TAIL = 512 * 1024;
const PART = 1024 * 1024;
/** A live piece is there before the server can read it back. */
const SETTLE_MS = 250;
const LONGEST_PAUSE_MS = 5000;
/** Pieces that come close together are shown together. */
const SHOW_MS = 50;
const LOOK_MS = 10_000;
const LOOK_WITHOUT_STREAM_MS = 2000;
/** So long after the end of a job something may still come that seals it. */
const AFTERWARDS_MS = 30_000;

export class OutputReader {
  readonly output = new OutputBytes();
  private listeners = new Set<() => void>();
  private reading: Reading = { output: this.output, known: false, expired: false, problem: null, version: 0 };
  private timer: ReturnType<typeof setTimeout> | undefined;
  private dueAt = Number.POSITIVE_INFINITY;
  private aborter = new AbortController();
  private busy = false;
  private showing: ReturnType<typeof setTimeout> | undefined;
  private pause = SETTLE_MS;
  /** All after this is read without being asked for. */
  private wanted = 0;
  private asked: Range[] = [];
  private ended = false;
  private endedAt = 0;
  private live = false;

  constructor(private readonly readPart: ReadPart) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  current = (): Reading => this.reading;

  start(): () => void {
    this.aborter = new AbortController();
    this.schedule(0);
    return () => {
      clearTimeout(this.timer);
      clearTimeout(this.showing);
      this.showing = undefined;
      this.dueAt = Number.POSITIVE_INFINITY;
      this.busy = false;
      this.aborter.abort();
    };
  }

  /** A live piece. */
  hear(offset: number, text: string): void {
    this.output.putText(offset, text);
    this.pause = SETTLE_MS;
    if (this.nextGap() !== null) this.schedule(SETTLE_MS);
    this.showing ??= setTimeout(() => {
      this.showing = undefined;
      this.become({});
    }, SHOW_MS);
  }

  /** Whether the job has ended, and whether live pieces come at all. */
  follow(ended: boolean, live: boolean): void {
    if (ended && !this.ended) this.endedAt = Date.now();
    const news = (ended && !this.ended) || live !== this.live;
    this.ended = ended;
    this.live = live;
    if (news && this.reading.known) this.schedule(SETTLE_MS);
  }

  /** Of a gap that nobody asked for: its last MiB. */
  more({ start, end }: Range): void {
    this.asked.push({ start: Math.max(start, end - PART), end });
    this.schedule(0);
  }

  everything(): void {
    this.wanted = 0;
    this.schedule(0);
  }

  /** Perhaps what was missing has come. */
  again(): void {
    this.output.forgetLost();
    this.become({});
    this.pause = SETTLE_MS;
    this.schedule(0);
  }

  private schedule(after: number): void {
    const due = Date.now() + after;
    if (due >= this.dueAt) return;
    clearTimeout(this.timer);
    this.dueAt = due;
    this.timer = setTimeout(() => {
      this.dueAt = Number.POSITIVE_INFINITY;
      void this.read();
    }, after);
  }

  private nextGap(): Range | null {
    for (const asked of this.asked) {
      const gap = this.output.gaps(asked.start).find((each) => each.start < asked.end);
      if (gap) return { start: gap.start, end: Math.min(gap.end, asked.end) };
    }
    this.asked = [];
    return this.output.gaps(this.wanted)[0] ?? null;
  }

  private async read(): Promise<void> {
    if (this.busy || this.aborter.signal.aborted) return;
    this.busy = true;
    const { signal } = this.aborter;
    const first = !this.reading.known;
    const gap = this.nextGap();
    const held = this.output.held;
    try {
      if (gap === null) this.output.forgetLost();
      const again = gap ?? this.nextGap();
      const offset = first ? 0 : (again?.start ?? this.output.size);
      const limit = first ? HEAD : again === null ? PART : Math.min(PART, Math.max(again.end - again.start, HEAD));
      const part = await this.readPart(offset, limit, signal);
      if (signal.aborted) return;
      this.take(part);
      if (first) this.wanted = Math.max(0, part.size - TAIL);
      this.become({ known: true, problem: null });
    } catch (error) {
      if (signal.aborted) return;
      const problem = problemOf(error);
      const expired = problem.code === 'output_expired';
      this.become(expired ? { known: true, expired, problem: null } : { problem });
    } finally {
      if (!signal.aborted) this.busy = false;
    }
    this.pause = this.output.held > held ? SETTLE_MS : Math.min(this.pause * 2, LONGEST_PAUSE_MS);
    this.goOn(this.output.held > held || first);
  }

  private take(part: Part): void {
    this.output.put(part.offset, part.bytes);
    this.output.know(part.size, part.sealed, part.sha256);
    if (part.missing) this.output.lose(part.missing);
  }

  private goOn(progress: boolean): void {
    if (this.reading.expired || this.reading.problem?.status === 404) return;
    if (this.reading.problem !== null) this.schedule(this.pause);
    else if (this.nextGap() !== null) this.schedule(progress ? 0 : this.pause);
    else if (this.output.sealed && this.output.missing().length === 0) return;
    else if (!this.ended) this.schedule(this.live ? LOOK_MS : LOOK_WITHOUT_STREAM_MS);
    else if (Date.now() - this.endedAt < AFTERWARDS_MS) this.schedule(this.pause);
  }

  private become(change: Partial<Reading>): void {
    const before = this.reading;
    this.reading = { ...before, ...change, version: this.output.version };
    const isNews =
      before.version !== this.reading.version ||
      before.known !== this.reading.known ||
      before.expired !== this.reading.expired ||
      before.problem !== this.reading.problem;
    if (isNews) for (const each of this.listeners) each();
  }
}

/** Reads parts over HTTP. */
export function partsOf(executionId: string, jobId: string, stream: string): ReadPart {
  return async (offset, limit, signal) => {
    const { data, error, response } = await api.GET('/api/v1/executions/{executionId}/jobs/{jobId}/output', {
      params: { path: { executionId, jobId }, query: { stream, offset, limit } },
      parseAs: 'arrayBuffer',
      signal,
    });
    if (!response.ok) throw Problem.of(response.status, error);
    const { headers } = response;
    const [start, end] = (headers.get('X-Output-Missing') ?? '').split('-').map(Number);
    return {
      offset: Number(headers.get('X-Output-Offset') ?? offset),
      // an answer without bytes has no data at all
      bytes: data === undefined ? new Uint8Array() : new Uint8Array(data),
      size: Number(headers.get('X-Output-Size') ?? 0),
      sealed: headers.get('X-Output-Sealed') === 'true',
      sha256: headers.get('X-Output-Sha256'),
      missing: start !== undefined && end !== undefined ? { start, end } : null,
    };
  };
}
