/** What an active execution does and waits for, in the words of the API: which of it comes first, and what of it ticks. Pure. */
import type { ExecutionRow, WaitingRow } from '@/api/types';

export type Kind = 'running' | WaitingRow['reason'];

/** What somebody can do something about comes first. */
const ORDER: readonly Kind[] = ['approval', 'agent', 'jobs', 'running', 'retry', 'subworkflow', 'delay'];

export function byUrgency(one: { kind: Kind }, other: { kind: Kind }): number {
  return ORDER.indexOf(one.kind) - ORDER.indexOf(other.kind);
}

/** Without how long it still takes, as that was when it was read: that is counted from `until`. */
export function lasting({ detail, reason, until }: Pick<WaitingRow, 'detail' | 'reason' | 'until'>): string {
  if (until === null || !['approval', 'retry', 'delay'].includes(reason)) return detail;
  return detail.replace(/(, expires)? (in [0-9][^,;]*|now)$/, '');
}

export interface Doing {
  kind: Kind;
  words: string;
  since: string | null;
  until: string | null;
}

/** Of an execution that is active: the most urgent first. */
export function doingOf({ waiting, running }: Pick<ExecutionRow, 'waiting' | 'running'>): Doing[] {
  const all = [
    ...waiting.map((each) => ({ kind: each.reason, words: lasting(each), since: each.since, until: each.until })),
    ...running.map((each) => ({ kind: 'running' as const, words: each.detail, since: each.since, until: null })),
  ];
  return all.toSorted(byUrgency);
}
