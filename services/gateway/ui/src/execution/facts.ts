/**
 * How events change what the detail of an execution says, apart from its jobs. Pure.
 *
 * What events do not carry (the banner, what is waited for, the output of an action) is read again soon after; until then the
 * statuses are right already.
 */
import type { ApprovalRow, ExecutionDetail, ExecutionStatus, NodeRow, NodeStatus } from '@/api/types';
import { isActive } from '@/theme/status';
import { type ErrorInfo, type ExecutionEvent, number, text, texts } from './event';

/** The detail without its jobs, which are apart; `asOf` goes on with each event. */
export type ExecutionFacts = Omit<ExecutionDetail, 'jobs' | 'jobsCursor'>;

/** The facts after the event; the same object if it says nothing new about them. */
export function withFactsOf(facts: ExecutionFacts, event: ExecutionEvent): ExecutionFacts {
  const change = changeOf(facts, event);
  return { ...facts, ...change, asOf: Math.max(facts.asOf, event.position) };
}

function changeOf(facts: ExecutionFacts, event: ExecutionEvent): Partial<ExecutionFacts> {
  switch (event.topic) {
    case 'execution.failing':
      // of an iteration: the execution goes on, or says so itself
      return event.iteration === null && facts.error === null ? { error: errorOf(event) } : {};
    case 'execution.completed':
      return ended(facts, event, 'completed', 'Completed');
    case 'execution.failed': {
      const error = facts.error ?? errorOf(event);
      return { ...ended(facts, event, 'failed', error ? `Failed: ${error.message}` : 'Failed'), error };
    }
    case 'execution.cancelled': {
      const by = text(event, 'by');
      const reason = text(event, 'reason');
      return ended(facts, event, 'cancelled', `Cancelled${by ? ` by ${by}` : ''}${reason ? `: ${reason}` : ''}`);
    }
    case 'job.scheduled': {
      const jobCounts = { ...facts.jobCounts, total: facts.jobCounts.total + 1 };
      return { ...goesOn(facts), jobCounts, ...node(facts, event, 'running') };
    }
    case 'job.completed':
      return { jobCounts: { ...facts.jobCounts, completed: facts.jobCounts.completed + 1 } };
    case 'job.retry_scheduled':
    case 'node.waiting':
      return { ...goesOn(facts), ...node(facts, event, 'waiting') };
    case 'subworkflow.scheduled':
      return { ...goesOn(facts), ...node(facts, event, 'running') };
    case 'node.completed':
      return node(facts, event, 'completed');
    case 'node.failed':
      return node(facts, event, 'failed');
    case 'node.skipped':
      return node(facts, event, 'skipped');
    case 'node.cancelled':
      return node(facts, event, 'cancelled');
    case 'node.reused':
      return node(facts, event, (text(event, 'status') ?? 'completed') as NodeStatus);
    case 'foreach.entered':
    case 'foreach.iterations_scheduled':
    case 'foreach.iteration_ended':
      return node(facts, event, 'running');
    case 'approval.requested':
      return {
        pendingApprovals: facts.pendingApprovals + 1,
        approvals: asked(facts, event),
        ...node(facts, event, 'waiting'),
      };
    case 'approval.resolved':
      return { pendingApprovals: Math.max(0, facts.pendingApprovals - 1), approvals: answered(facts, event) };
    case 'approval.voted':
    case 'approval.reminded':
    case 'approval.escalated':
    case 'approval.notified':
      return { approvals: answered(facts, event) };
    default:
      return {};
  }
}

/** What begins does not wait for people alone. Whether all that is left does, is read. */
function goesOn(facts: ExecutionFacts): Partial<ExecutionFacts> {
  return facts.status === 'paused' || facts.status === 'pending' ? { status: 'running' } : {};
}

function ended(
  facts: ExecutionFacts,
  event: ExecutionEvent,
  status: ExecutionStatus,
  banner: string,
): Partial<ExecutionFacts> {
  if (event.iteration !== null || !isActive(facts.status)) return {};
  const durationMs = Math.max(0, Date.parse(event.time) - Date.parse(facts.startedAt));
  return { status, banner, finishedAt: event.time, durationMs, waiting: [], waitingTotal: 0 };
}

/** The nodes of the execution itself: every iteration has the nodes of its body for itself. */
function node(facts: ExecutionFacts, event: ExecutionEvent, status: NodeStatus): Partial<ExecutionFacts> {
  if (event.iteration !== null) return {};
  const nodeId = text(event, 'nodeId');
  const at = facts.nodes.findIndex((each) => each.nodeId === nodeId);
  const old = facts.nodes[at];
  if (old === undefined) return {};
  return { nodes: facts.nodes.with(at, changed(old, event, status)) };
}

const OVER: ReadonlySet<NodeStatus> = new Set(['completed', 'failed', 'skipped', 'cancelled']);

function changed(old: NodeRow, event: ExecutionEvent, status: NodeStatus): NodeRow {
  const neverEntered = event.topic === 'node.skipped' || event.topic === 'node.reused';
  const over = OVER.has(status);
  return {
    ...old,
    status: event.topic.startsWith('foreach.') && OVER.has(old.status) ? old.status : status,
    startedAt: old.startedAt ?? (neverEntered ? null : event.time),
    finishedAt: over ? event.time : old.finishedAt,
    output: event.data.output ?? old.output,
    progress: progress(old, event),
  };
}

function progress(old: NodeRow, event: ExecutionEvent): NodeRow['progress'] {
  const before = old.progress ?? { total: 0, completed: 0, failed: 0, cancelled: 0, running: 0 };
  switch (event.topic) {
    case 'foreach.entered':
      return { ...before, total: Array.isArray(event.data.items) ? event.data.items.length : 0 };
    case 'foreach.iterations_scheduled':
      return { ...before, running: before.running + texts(event, 'streamIds').length };
    case 'foreach.iteration_ended': {
      const status = text(event, 'status');
      const one = status === 'completed' || status === 'cancelled' ? status : 'failed';
      return { ...before, running: Math.max(0, before.running - 1), [one]: before[one] + 1 };
    }
    default:
      return old.progress;
  }
}

/** Up to as many as the detail holds. */
const MAX_APPROVALS = 200;

function asked(facts: ExecutionFacts, event: ExecutionEvent): ApprovalRow[] {
  const nodeId = text(event, 'nodeId') ?? '';
  const row: ApprovalRow = {
    approvalId: text(event, 'approvalId') ?? '',
    executionId: facts.executionId,
    item: null,
    workflowId: facts.workflowId,
    workflowName: facts.workflowName,
    nodeId,
    nodeName: facts.nodes.find((each) => each.nodeId === nodeId)?.name ?? nodeId,
    message: text(event, 'message') ?? '',
    status: 'pending',
    approvers: texts(event, 'approvers'),
    minApprovals: number(event, 'minApprovals') ?? 1,
    preventSelfApproval: event.data.preventSelfApproval === true,
    votes: [],
    requestedAt: event.time,
    expiresAt: text(event, 'expiresAt'),
    escalatedTo: [],
    escalatedAt: null,
    remindedAt: null,
    respondedBy: null,
    responseNote: null,
    respondedVia: null,
    respondedAt: null,
    notifications: [],
    startedBy: text(event, 'startedBy') ?? facts.startedBy,
  };
  return facts.approvals.length < MAX_APPROVALS ? [...facts.approvals, row] : facts.approvals;
}

function answered(facts: ExecutionFacts, event: ExecutionEvent): ApprovalRow[] {
  const approvalId = text(event, 'approvalId');
  const at = facts.approvals.findIndex((each) => each.approvalId === approvalId);
  const old = facts.approvals[at];
  return old === undefined ? facts.approvals : facts.approvals.with(at, { ...old, ...answer(old, event) });
}

function answer(old: ApprovalRow, event: ExecutionEvent): Partial<ApprovalRow> {
  switch (event.topic) {
    case 'approval.resolved':
      return old.status === 'pending'
        ? {
            status: (text(event, 'status') ?? 'pending') as ApprovalRow['status'],
            respondedBy: text(event, 'respondedBy'),
            responseNote: text(event, 'note') ?? '',
            respondedVia: text(event, 'via'),
            respondedAt: text(event, 'respondedAt') ?? event.time,
          }
        : {};
    case 'approval.voted':
      return {
        votes: [
          ...old.votes,
          {
            by: text(event, 'by') ?? '',
            note: text(event, 'note') ?? '',
            via: text(event, 'via') ?? '',
            at: event.time,
          },
        ],
      };
    case 'approval.reminded':
      return { remindedAt: event.time };
    case 'approval.escalated':
      return { escalatedAt: event.time, escalatedTo: texts(event, 'to') };
    case 'approval.notified':
      return {
        notifications: [
          ...old.notifications,
          {
            channel: text(event, 'channel') ?? '',
            purpose: text(event, 'purpose') ?? '',
            error: text(event, 'error'),
            attempts: number(event, 'attempts') ?? 1,
            at: event.time,
          },
        ],
      };
    default:
      return {};
  }
}

function errorOf(event: ExecutionEvent): ErrorInfo | null {
  const error = event.data.error;
  return typeof error === 'object' && error !== null ? (error as ErrorInfo) : null;
}
