/** What an active execution does and waits for, as it stands now (R11). Pure. */
import type { WaitingRow } from '@/api/types';
import { byUrgency, type Kind, lasting } from '@/executions/doing';
import { sentence } from '@/ui/sentence';
import type { ExecutionFacts } from '../facts';
import type { JobLine } from '../jobTable';

export interface Reason {
  key: string;
  kind: Kind;
  words: string;
  /** Of an approval: what is asked. */
  question: string | null;
  since: string | null;
  /** When it is over, if that is known. */
  until: string | null;
  nodeId: string | null;
  jobId: string | null;
  approvalId: string | null;
  childExecutionId: string | null;
}

export interface Reasons {
  /** What somebody can do something about comes first. */
  first: readonly Reason[];
  total: number;
}

export function reasonsOf(
  facts: ExecutionFacts,
  jobs: readonly JobLine[],
  byId: ReadonlyMap<string, JobLine>,
): Reasons {
  const waiting = facts.waiting.filter((row) => stillWaits(row, facts, byId));
  const unnamed = Math.max(0, facts.waitingTotal - facts.waiting.length);
  const live = jobs.filter((job) => job.status === 'running' || job.status === 'dispatched');
  const waits = grouped(waiting, (row) => [row.reason, row.nodeId, row.approvalId, wordsOf(row)].join(' '));
  const runs = grouped(live, (job) => job.nodeId);
  // of very many the API names some: where they all wait for the same, so do the others
  const more = waits.length === 1 ? unnamed : 0;
  const first = [...waits.map((rows) => ofRows(rows, rows.length + more, facts)), ...runs.map(ofJobs)];
  first.sort(byUrgency);
  return { first, total: first.length + unnamed - more };
}

/** Iterations of a forEach do the same many times over: what is alike is said once. */
function grouped<T>(all: readonly T[], keyOf: (each: T) => string): [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const each of all) {
    const key = keyOf(each);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [each]);
    else group.push(each);
  }
  return [...groups.values()];
}

/** Rows are read a moment after the events that make them: what these told meanwhile is left out. */
function stillWaits(row: WaitingRow, facts: ExecutionFacts, byId: ReadonlyMap<string, JobLine>): boolean {
  if (row.reason === 'agent') return row.jobId === null || (byId.get(row.jobId)?.status ?? 'pending') === 'pending';
  if (row.reason === 'approval') {
    return (facts.approvals.find((each) => each.approvalId === row.approvalId)?.status ?? 'pending') === 'pending';
  }
  if (row.item !== null || row.nodeId === null) return true;
  const status = facts.nodes.find((node) => node.nodeId === row.nodeId)?.status;
  if (row.reason === 'retry' || row.reason === 'delay') return status === 'waiting';
  return true;
}

function ofRows([row, ...others]: [WaitingRow, ...WaitingRow[]], count: number, facts: ExecutionFacts): Reason {
  const approval = facts.approvals.find((each) => each.approvalId === row.approvalId);
  const alone = others.length === 0;
  return {
    key: alone
      ? [row.reason, row.item, row.nodeId, row.jobId, row.approvalId].join(' ')
      : `${row.reason} ${row.nodeId} ${wordsOf(row)}`,
    kind: row.reason,
    words:
      alone && count === 1
        ? row.item === null
          ? sentence(wordsOf(row))
          : `${row.item}: ${wordsOf(row)}`
        : `${sentence(wordsOf(row))}, ${count} times`,
    question: approval?.message || null,
    since: row.since,
    until: row.until,
    nodeId: row.nodeId,
    jobId: alone ? row.jobId : null,
    approvalId: row.approvalId,
    childExecutionId: alone ? row.childExecutionId : null,
  };
}

function ofJobs([job, ...others]: [JobLine, ...JobLine[]]): Reason {
  const alone = others.length === 0;
  const item = job.item === null ? '' : `${job.item}: `;
  const attempt = job.attempt > 1 ? `, attempt ${job.attempt}` : '';
  const does =
    job.status === 'running' ? `is running on ${job.agent}` : `was sent to ${job.agent} and is about to start`;
  return {
    key: alone ? job.jobId : `running ${job.nodeId}`,
    kind: 'running',
    words: alone
      ? `${item}${job.nodeName} ${does}${attempt}`
      : `${others.length + 1} jobs of ${job.nodeName} are running`,
    question: null,
    // of several the oldest
    since: [job, ...others].reduce((oldest: string | null, each) => {
      const at = each.startedAt ?? each.dispatchedAt;
      return at !== null && (oldest === null || at < oldest) ? at : oldest;
    }, null),
    until: null,
    nodeId: job.nodeId,
    jobId: alone ? job.jobId : null,
    approvalId: null,
    childExecutionId: null,
  };
}

/** Without the item. */
function wordsOf(row: WaitingRow): string {
  const prefix = `${row.item}: `;
  const words = lasting(row);
  return row.item !== null && words.startsWith(prefix) ? words.slice(prefix.length) : words;
}
