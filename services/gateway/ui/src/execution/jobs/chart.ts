/** The scale of the Gantt chart, and the parts of a bar on it. Pure. */
import type { JobStatus } from '@/api/types';
import type { JobLine } from '../store';
import type { Attempts } from './attempts';

export interface Scale {
  /** Milliseconds since 1970. */
  from: number;
  to: number;
  /** From tick to tick; ticks begin at `from`. */
  step: number;
}

const STEPS = [
  100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
  3_600_000, 7_200_000, 14_400_000, 21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000, 2_592_000_000,
];
const MOST_TICKS = 6;

/**
 * From the first job to the last end. While a job or, with `active`, the execution goes on, up to the next tick after now: the scale
 * changes in steps, not with each second.
 */
export function scaleOf(jobs: readonly JobLine[], now: number, active = false): Scale {
  let from = Number.POSITIVE_INFINITY;
  let last = 0;
  let goesOn = active;
  for (const job of jobs) {
    const { queued, finished, started } = timesOf(job);
    from = Math.min(from, queued);
    last = Math.max(last, finished ?? started ?? queued);
    goesOn ||= finished === null;
  }
  if (jobs.length === 0) return { from: now, to: now + 1000, step: 200 };
  const span = Math.max((goesOn ? Math.max(last, now) : last) - from, 100);
  const step = STEPS.find((each) => span / each <= MOST_TICKS) ?? STEPS.at(-1) ?? span;
  return { from, to: from + (goesOn ? Math.ceil((span * 1.02) / step) * step : span), step };
}

export function ticksOf({ from, to, step }: Scale): number[] {
  const ticks: number[] = [];
  for (let at = from; at <= to - step * 0.25; at += step) ticks.push(at);
  return ticks;
}

/** In percent of the width. */
export function placeOf(at: number, { from, to }: Scale): number {
  return Math.min(100, Math.max(0, ((at - from) / (to - from)) * 100));
}

/** `0`, `20 s`, `5 min`: how long after the beginning. */
export function tickText(ms: number): string {
  if (ms === 0) return '0';
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${ms / 1000} s`;
  if (ms < 3_600_000)
    return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${Math.floor(ms / 60_000)} min ${(ms % 60_000) / 1000} s`;
  if (ms < 86_400_000) return `${ms / 3_600_000} h`;
  return `${ms / 86_400_000} d`;
}

interface Times {
  queued: number;
  dispatched: number | null;
  started: number | null;
  finished: number | null;
}

const times = new WeakMap<JobLine, Times>();

export function timesOf(job: JobLine): Times {
  let known = times.get(job);
  if (known === undefined) {
    const at = (iso: string | null) => (iso === null ? null : Date.parse(iso));
    known = {
      queued: Date.parse(job.queuedAt),
      dispatched: at(job.dispatchedAt),
      started: at(job.startedAt),
      finished: at(job.finishedAt),
    };
    times.set(job, known);
  }
  return known;
}

export interface BarPart {
  /** `delay`: between two attempts. */
  part: 'queued' | 'dispatched' | 'ran' | 'delay';
  from: number;
  to: number;
  status: JobStatus;
}

/** Waiting for an agent, on its way to it, running. What has not ended goes on until `now`. */
export function barOf(job: JobLine, now: number): BarPart[] {
  const { queued, dispatched, started, finished } = timesOf(job);
  const { status } = job;
  const end = Math.max(finished ?? now, queued);
  const parts: BarPart[] = [];
  const add = (part: BarPart['part'], from: number, to: number) => {
    if (to > from || part === 'ran') parts.push({ part, from, to: Math.max(from, to), status });
  };
  add('queued', queued, dispatched ?? started ?? end);
  if (dispatched !== null) add('dispatched', dispatched, started ?? end);
  if (started !== null) add('ran', started, end);
  return parts;
}

/** All attempts, with what was waited between them, and what is still to be waited for the next. */
export function barOfAll({ jobs, last, retryAt }: Attempts, now: number): BarPart[] {
  const parts: BarPart[] = [];
  let before: JobLine | null = null;
  for (const job of jobs) {
    const ended = before === null ? null : timesOf(before).finished;
    if (ended !== null && timesOf(job).queued > ended)
      parts.push({ part: 'delay', from: ended, to: timesOf(job).queued, status: job.status });
    parts.push(...barOf(job, now));
    before = job;
  }
  const ended = timesOf(last).finished;
  if (retryAt !== null && ended !== null)
    parts.push({ part: 'delay', from: ended, to: Math.max(ended, Date.parse(retryAt)), status: last.status });
  return parts;
}

/** From the first attempt to the end of the last, or until now; null if nothing was ever started. */
export function lengthOf({ jobs, last, retryAt }: Attempts, now: number): number | null {
  const started = jobs.map((job) => timesOf(job).started).find((at) => at !== null);
  if (started == null) return null;
  const over = retryAt === null ? timesOf(last).finished : null;
  return Math.max(0, (over ?? now) - started);
}
