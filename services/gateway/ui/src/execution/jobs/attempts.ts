/** Jobs by what they try to do: the attempts of one node, of an iteration its own, are one line of the timeline (R10, R13). Pure. */
import type { WaitingRow } from '@/api/types';
import { hasEnded, type JobLine } from '../store';

export interface Attempts {
  /** The id of the first: it stays while others are added. */
  key: string;
  /** In the order in which they were queued; at least one. */
  jobs: readonly [JobLine, ...JobLine[]];
  last: JobLine;
  /** When the next attempt is due, if the last one has ended and is to be tried again. */
  retryAt: string | null;
}

/** A line of the list: all attempts together, or, below them, one of several. */
export type Line =
  | { key: string; job: JobLine; attempts: Attempts; isAttempt: false }
  | { key: string; job: JobLine; attempts: Attempts; isAttempt: true };

const alone = new WeakMap<JobLine, Attempts>();

/** `vague`: jobs of which it is not known yet in which iteration they are; each of them stands for itself. */
export function attemptsOf(
  jobs: readonly JobLine[],
  vague: ReadonlySet<string>,
  waiting: readonly WaitingRow[],
): Attempts[] {
  const due = new Map<string, string>();
  for (const row of waiting)
    if (row.reason === 'retry' && row.nodeId !== null && row.until !== null)
      due.set(placeOf(row.nodeId, row.item), row.until);
  const groups = new Map<string, [JobLine, ...JobLine[]]>();
  for (const job of jobs) {
    const place = vague.has(job.jobId) ? job.jobId : placeOf(job.nodeId, job.item);
    const group = groups.get(place);
    if (group === undefined) groups.set(place, [job]);
    else group.push(job);
  }
  return [...groups].map(([place, group]) => {
    const [first] = group;
    const last = group.at(-1) ?? first;
    const retryAt = hasEnded(last.status) && last.status !== 'completed' ? (due.get(place) ?? null) : null;
    if (group.length > 1 || retryAt !== null) return { key: first.jobId, jobs: group, last, retryAt };
    // the same object as long as the job is: its row is not drawn again
    let known = alone.get(first);
    if (known === undefined) {
      known = { key: first.jobId, jobs: group, last, retryAt };
      alone.set(first, known);
    }
    return known;
  });
}

/** What is listed when these are unfolded. */
export function linesOf(all: readonly Attempts[], unfolded: ReadonlySet<string>): Line[] {
  return all.flatMap((attempts): Line[] => {
    const line = { key: attempts.key, job: attempts.last, attempts, isAttempt: false } as const;
    if (attempts.jobs.length < 2 || !unfolded.has(attempts.key)) return [line];
    return [
      line,
      ...attempts.jobs.map((job) => ({ key: `${attempts.key} ${job.jobId}`, job, attempts, isAttempt: true }) as const),
    ];
  });
}

function placeOf(nodeId: string, item: string | null): string {
  return `${item ?? ''} ${nodeId}`;
}
