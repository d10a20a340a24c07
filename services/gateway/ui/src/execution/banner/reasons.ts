/** What an active execution does and waits for, as it stands now (R11). Pure. */
import type { WaitingRow } from '@/api/types';
import type { ExecutionFacts } from '../facts';
import type { JobLine } from '../jobTable';

export interface Reason {
  key: string;
  kind: 'running' | WaitingRow['reason'];
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

const ORDER: readonly Reason['kind'][] = ['approval', 'agent', 'jobs', 'running', 'retry', 'subworkflow', 'delay'];
const MAX_RUNNING = 20;

export function reasonsOf(
  facts: ExecutionFacts,
  jobs: readonly JobLine[],
  byId: ReadonlyMap<string, JobLine>,
): Reasons {
  const waiting = facts.waiting.filter((row) => stillWaits(row, facts, byId));
  const live: Reason[] = [];
  let running = 0;
  for (const job of jobs) {
    if (job.status !== 'running' && job.status !== 'dispatched') continue;
    running += 1;
    if (live.length < MAX_RUNNING) live.push(ofJob(job));
  }
  const all = [...waiting.map((row) => ofRow(row, facts)), ...live];
  all.sort((one, other) => ORDER.indexOf(one.kind) - ORDER.indexOf(other.kind));
  const unnamed = Math.max(0, facts.waitingTotal - facts.waiting.length);
  return { first: all, total: waiting.length + unnamed + running };
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

function ofRow(row: WaitingRow, facts: ExecutionFacts): Reason {
  const approval = facts.approvals.find((each) => each.approvalId === row.approvalId);
  return {
    key: [row.reason, row.item, row.nodeId, row.jobId].join(' '),
    kind: row.reason,
    words: sentence(withoutTime(row)),
    question: approval?.message || null,
    since: row.since,
    until: row.until,
    nodeId: row.nodeId,
    jobId: row.jobId,
    approvalId: row.approvalId,
    childExecutionId: row.childExecutionId,
  };
}

function ofJob(job: JobLine): Reason {
  const item = job.item === null ? '' : `${job.item}: `;
  const attempt = job.attempt > 1 ? `, attempt ${job.attempt}` : '';
  const words =
    job.status === 'running'
      ? `${job.nodeName} runs on ${job.agent}${attempt}`
      : `${job.nodeName} was sent to ${job.agent} and is about to start${attempt}`;
  return {
    key: job.jobId,
    kind: 'running',
    words: `${item}${words}`,
    question: null,
    since: job.startedAt ?? job.dispatchedAt,
    until: null,
    nodeId: job.nodeId,
    jobId: job.jobId,
    approvalId: null,
    childExecutionId: null,
  };
}

/** Without how long it still takes, as that was when it was read: that is counted from `until`. */
function withoutTime(row: WaitingRow): string {
  if (row.until === null || !['approval', 'retry', 'delay'].includes(row.reason)) return row.detail;
  return row.detail.replace(/(, expires)? (in [0-9][^,;]*|now)$/, '');
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
