/** Every status of the product: its word, its colour and its icon, decided here and nowhere else (R7, R34). */
import {
  IconAlertTriangle,
  IconArchive,
  IconBan,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleDotted,
  IconCircleX,
  IconClockX,
  IconHandStop,
  IconLoader2,
  IconMinus,
  IconPlayerPause,
  IconPlugConnectedX,
  IconSend,
  type TablerIcon,
} from '@tabler/icons-react';
import type {
  AgentRow,
  ApprovalStatus,
  AuditRow,
  ExecutionStatus,
  JobStatus,
  NodeStatus,
  ParkedMessage,
  ReadModel,
  TriggerRecordRow,
} from '@/api/types';

export type Tone = 'gray' | 'blue' | 'green' | 'red' | 'indigo' | 'amber' | 'cyan';

export interface Look {
  label: string;
  tone: Tone;
  icon: TablerIcon;
  /** Whether it moves: something is being done right now. */
  animated?: boolean;
}

export const EXECUTION: Record<ExecutionStatus, Look> = {
  pending: { label: 'Pending', tone: 'gray', icon: IconCircleDotted },
  running: { label: 'Running', tone: 'blue', icon: IconLoader2, animated: true },
  completed: { label: 'Completed', tone: 'green', icon: IconCircleCheck },
  failed: { label: 'Failed', tone: 'red', icon: IconCircleX },
  cancelled: { label: 'Cancelled', tone: 'gray', icon: IconBan },
  paused: { label: 'Paused', tone: 'indigo', icon: IconPlayerPause },
};

export const JOB: Record<JobStatus, Look> = {
  pending: { label: 'Pending', tone: 'gray', icon: IconCircleDotted },
  dispatched: { label: 'Dispatched', tone: 'cyan', icon: IconSend },
  running: { label: 'Running', tone: 'blue', icon: IconLoader2, animated: true },
  completed: { label: 'Completed', tone: 'green', icon: IconCircleCheck },
  failed: { label: 'Failed', tone: 'red', icon: IconCircleX },
  timeout: { label: 'Timed out', tone: 'red', icon: IconClockX },
  cancelled: { label: 'Cancelled', tone: 'gray', icon: IconBan },
};

export const NODE: Record<NodeStatus, Look> = {
  pending: { label: 'Not reached', tone: 'gray', icon: IconCircleDashed },
  running: { label: 'Running', tone: 'blue', icon: IconLoader2, animated: true },
  waiting: { label: 'Waiting', tone: 'indigo', icon: IconPlayerPause },
  completed: { label: 'Completed', tone: 'green', icon: IconCircleCheck },
  failed: { label: 'Failed', tone: 'red', icon: IconCircleX },
  skipped: { label: 'Skipped', tone: 'gray', icon: IconMinus },
  cancelled: { label: 'Cancelled', tone: 'gray', icon: IconBan },
};

export const APPROVAL: Record<ApprovalStatus, Look> = {
  pending: { label: 'Waiting', tone: 'indigo', icon: IconHandStop },
  approved: { label: 'Approved', tone: 'green', icon: IconCircleCheck },
  rejected: { label: 'Rejected', tone: 'red', icon: IconCircleX },
  expired: { label: 'Expired', tone: 'amber', icon: IconClockX },
  cancelled: { label: 'Cancelled', tone: 'gray', icon: IconBan },
};

export const AGENT: Record<AgentRow['status'], Look> = {
  new: { label: 'New', tone: 'cyan', icon: IconCircleDotted },
  online: { label: 'Online', tone: 'green', icon: IconCircleCheck },
  offline: { label: 'Offline', tone: 'red', icon: IconPlugConnectedX },
  draining: { label: 'Draining', tone: 'amber', icon: IconAlertTriangle },
  revoked: { label: 'Revoked', tone: 'gray', icon: IconBan },
};

export type PoolState = 'ready' | 'full' | 'draining' | 'paused' | 'offline' | 'empty';

/** Of a pool: whether jobs that ask for it can run now. */
export const POOL: Record<PoolState, Look> = {
  ready: { label: 'Ready', tone: 'green', icon: IconCircleCheck },
  full: { label: 'Full', tone: 'amber', icon: IconAlertTriangle },
  draining: { label: 'Draining', tone: 'amber', icon: IconAlertTriangle },
  paused: { label: 'Paused', tone: 'indigo', icon: IconPlayerPause },
  offline: { label: 'Offline', tone: 'red', icon: IconPlugConnectedX },
  empty: { label: 'No agents', tone: 'gray', icon: IconCircleDashed },
};

/** Of a connection: whether jobs may use it, and what its last test said (R59). */
export const CONNECTION: Record<'enabled' | 'disabled', Look> = {
  enabled: { label: 'Enabled', tone: 'green', icon: IconCircleCheck },
  disabled: { label: 'Disabled', tone: 'gray', icon: IconBan },
};

export const TESTED: Record<'works' | 'fails' | 'untested', Look> = {
  works: { label: 'Works', tone: 'green', icon: IconCircleCheck },
  fails: { label: 'Does not work', tone: 'red', icon: IconCircleX },
  untested: { label: 'Not tested', tone: 'gray', icon: IconCircleDashed },
};

/** Of a workflow: what it can do now (R46). */
export const WORKFLOW: Record<'active' | 'inactive' | 'unpublished' | 'archived', Look> = {
  active: { label: 'Active', tone: 'green', icon: IconCircleCheck },
  inactive: { label: 'Inactive', tone: 'gray', icon: IconPlayerPause },
  unpublished: { label: 'Not published', tone: 'amber', icon: IconCircleDashed },
  archived: { label: 'Archived', tone: 'gray', icon: IconArchive },
};

export const TRIGGER_OUTCOME: Record<TriggerRecordRow['outcome'], Look> = {
  started: { label: 'Started', tone: 'green', icon: IconCircleCheck },
  skipped: { label: 'Skipped', tone: 'gray', icon: IconMinus },
  refused: { label: 'Refused', tone: 'red', icon: IconCircleX },
};

/** Of a read model (R69). */
export const READ_MODEL: Record<ReadModel['status'], Look> = {
  ok: { label: 'Up to date', tone: 'green', icon: IconCircleCheck },
  behind: { label: 'Behind', tone: 'amber', icon: IconAlertTriangle },
  rebuilding: { label: 'Being rebuilt', tone: 'blue', icon: IconLoader2, animated: true },
  broken: { label: 'Broken', tone: 'red', icon: IconCircleX },
};

/** Of a message nobody could handle: what was done with it. */
export const PARKED: Record<ParkedMessage['status'], Look> = {
  waiting: { label: 'Waiting', tone: 'amber', icon: IconAlertTriangle },
  retried: { label: 'Sent again', tone: 'green', icon: IconSend },
  dropped: { label: 'Dropped', tone: 'gray', icon: IconBan },
};

/** What came of a command, as the audit log says it. */
export const AUDIT: Record<AuditRow['outcome'], Look> = {
  done: { label: 'Done', tone: 'green', icon: IconCircleCheck },
  refused: { label: 'Refused', tone: 'amber', icon: IconBan },
  failed: { label: 'Failed', tone: 'red', icon: IconCircleX },
  unknown: { label: 'Not known', tone: 'gray', icon: IconCircleDashed },
};

/** Whether what opens something still does: users, API keys, tenants, channels. */
export const ACCESS: Record<'open' | 'closed' | 'expired' | 'revoked', Look> = {
  open: { label: 'Enabled', tone: 'green', icon: IconCircleCheck },
  closed: { label: 'Disabled', tone: 'gray', icon: IconBan },
  expired: { label: 'Expired', tone: 'amber', icon: IconClockX },
  revoked: { label: 'Revoked', tone: 'gray', icon: IconBan },
};

const ACTIVE: ReadonlySet<ExecutionStatus> = new Set(['pending', 'running', 'paused']);

export function isActive(status: ExecutionStatus): boolean {
  return ACTIVE.has(status);
}
