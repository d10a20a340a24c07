/**
 * Reads the log of an execution: the beginning and the end of it at once, what lies between when it is scrolled to or searched, and
 * what is added while it is shown.
 */
import { type Problem, problemOf } from '@/api/problem';
import type { LogEntry } from '@/api/types';
import { type Gap, gapsOf, isRead, type Log, NOTHING_READ, withFirstError, withLines } from './log';

export interface Ask {
  order: 'asc' | 'desc';
  after: number;
  /** null: the end of the log. */
  before: number | null;
  limit: number;
  /** The answer is no older than this position. */
  minPosition: number;
}

export interface Answer {
  items: readonly LogEntry[];
  nextCursor: string | null;
  firstError: LogEntry | null;
}

export type ReadLines = (ask: Ask, signal: AbortSignal) => Promise<Answer>;

/** What whoever shows it needs. */
export interface Wants {
  /** The end first: it is followed. */
  end: boolean;
  /** All of it: it is searched. */
  all: boolean;
  /** The line at this position. */
  at: number | null;
  /** A gap that is in sight, and which of its ends. */
  gap: (Gap & { from: 'above' | 'below' }) | null;
}

export interface Reading {
  log: Log;
  problem: Problem | null;
  /** Something that is wanted has not been read yet. */
  reading: boolean;
}

const FIRST = 300;
const PAGE = 1000;
const READ_AGAIN_MS = 700;
const AFTER_PROBLEM_MS = 3000;

export class LogReader {
  private listeners = new Set<() => void>();
  private state: Reading = { log: NOTHING_READ, problem: null, reading: true };
  private wants: Wants = { end: false, all: false, at: null, gap: null };
  /** How far the execution has come, as far as is known; and how far the log was read to the end. */
  private position = 0;
  private readTo = -1;
  private aborter: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private dueAt = Number.POSITIVE_INFINITY;
  private busy = false;

  constructor(private readonly read: ReadLines) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  current = (): Reading => this.state;

  start(): () => void {
    this.aborter = new AbortController();
    this.goOn(0);
    return () => {
      clearTimeout(this.timer);
      this.dueAt = Number.POSITIVE_INFINITY;
      this.aborter?.abort();
      this.aborter = null;
      this.busy = false;
    };
  }

  want(wants: Wants): void {
    this.wants = wants;
    this.goOn(0);
  }

  /** The execution has come to this position. */
  heard(position: number): void {
    if (position <= this.position) return;
    this.position = position;
    this.goOn(this.readTo < 0 ? 0 : READ_AGAIN_MS);
  }

  private next(): Ask | null {
    const { log } = this.state;
    const { wants, position: minPosition } = this;
    const last = log.pieces.at(-1);
    if (this.readTo < 0) {
      // nothing of the end has been read
      if (last === undefined && !wants.end) return { order: 'asc', after: 0, before: null, limit: FIRST, minPosition };
      return { order: 'desc', after: 0, before: null, limit: FIRST, minPosition };
    }
    if (wants.at !== null && wants.at <= this.readTo && !isRead(log, wants.at))
      return { order: 'desc', after: 0, before: wants.at + 1, limit: FIRST, minPosition };
    const gaps = gapsOf(log);
    const { gap } = wants;
    const seen = gap && gaps.find((each) => each.after === gap.after && each.before === gap.before);
    if (gap && seen) return { order: gap.from === 'above' ? 'asc' : 'desc', ...seen, limit: PAGE, minPosition };
    const [first] = gaps;
    if (wants.all && first) return { order: 'asc', ...first, limit: PAGE, minPosition };
    if (this.position > this.readTo)
      return { order: 'asc', after: last?.upTo ?? 0, before: null, limit: PAGE, minPosition };
    return null;
  }

  private goOn(after: number): void {
    if (this.busy || this.aborter === null) return;
    const ask = this.next();
    this.become({ reading: ask !== null });
    // what is to be read soon is not put off by what happens meanwhile
    const due = Date.now() + after;
    if (ask === null || due >= this.dueAt) return;
    clearTimeout(this.timer);
    this.dueAt = due;
    this.timer = setTimeout(() => {
      this.dueAt = Number.POSITIVE_INFINITY;
      void this.ask();
    }, after);
  }

  private async ask(): Promise<void> {
    const ask = this.next();
    const signal = this.aborter?.signal;
    if (ask === null || signal === undefined || this.busy) return;
    this.busy = true;
    let pause = 0;
    try {
      const answer = await this.read(ask, signal);
      if (signal.aborted) return;
      this.take(ask, answer);
    } catch (error) {
      if (signal.aborted) return;
      this.become({ problem: problemOf(error) });
      pause = AFTER_PROBLEM_MS;
    }
    this.busy = false;
    // what was heard meanwhile is read in one go
    const upToDate = this.readTo >= 0 && gapsOf(this.state.log).length === 0;
    this.goOn(pause || (upToDate && !this.wants.all ? READ_AGAIN_MS : 0));
  }

  private take(ask: Ask, { items, nextCursor, firstError }: Answer): void {
    const lines = ask.order === 'desc' ? items.toReversed() : items;
    const first = lines[0]?.position;
    const last = lines.at(-1)?.position;
    const whole = nextCursor === null;
    const toEnd = ask.before === null && (ask.order === 'desc' || whole);
    const after = ask.order === 'desc' && !whole && first !== undefined ? first - 1 : ask.after;
    const upTo = ask.before !== null && (ask.order === 'desc' || whole) ? ask.before - 1 : (last ?? ask.after);
    if (toEnd) this.readTo = Math.max(this.readTo, ask.minPosition, last ?? 0);
    const log = withLines(this.state.log, after, upTo, lines);
    this.become({ log: withFirstError(log, firstError ?? firstAdded(ask, lines)), problem: null });
  }

  private become(change: Partial<Reading>): void {
    const before = this.state;
    this.state = { ...before, ...change };
    if (before.log !== this.state.log || before.problem !== this.state.problem || before.reading !== this.state.reading)
      for (const each of this.listeners) each();
  }
}

/** The first error among what was added at the end: there was none before. */
function firstAdded(ask: Ask, lines: readonly LogEntry[]): LogEntry | null {
  if (ask.before !== null || ask.order === 'desc') return null;
  return lines.find((line) => line.level === 'error') ?? null;
}
