/** Events of the stream of an execution, as they are sent: CloudEvents, of which this much matters here. */
import type { components } from '@/api/schema';

export type ErrorInfo = components['schemas']['ErrorInfo'];

export interface ExecutionEvent {
  topic: string;
  position: number;
  time: string;
  /** Of what happens in an iteration of a forEach: the iteration's stream. */
  iteration: string | null;
  data: Readonly<Record<string, unknown>>;
}

/** The topics that the page listens to, beside `snapshot` and `output`. */
export const TOPICS: readonly string[] = [
  'execution.started',
  'execution.failing',
  'execution.completed',
  'execution.failed',
  'execution.cancelled',
  'node.reused',
  'node.waiting',
  'node.completed',
  'node.failed',
  'node.skipped',
  'node.cancelled',
  'job.retry_scheduled',
  'job.scheduled',
  'job.dispatched',
  'job.requeued',
  'job.started',
  'job.completed',
  'job.failed',
  'job.timed_out',
  'job.cancel_requested',
  'job.cancelled',
  'job.report_ignored',
  'foreach.entered',
  'foreach.iterations_scheduled',
  'foreach.iteration_ended',
  'iteration.started',
  'iteration.completed',
  'iteration.failed',
  'iteration.cancelled',
  'subworkflow.scheduled',
  'subworkflow.ended',
  'children.cancel_requested',
  'approval.requested',
  'approval.voted',
  'approval.reminded',
  'approval.escalated',
  'approval.notified',
  'approval.cancel_requested',
  'approval.resolved',
];

/** What came under `topic`; null if it is not an event of the log. */
export function executionEvent(topic: string, sent: unknown): ExecutionEvent | null {
  if (typeof sent !== 'object' || sent === null || !('sequence' in sent)) return null;
  const { sequence, time, iteration, data } = sent as Record<string, unknown>;
  return {
    topic,
    position: Number(sequence),
    time: String(time),
    iteration: typeof iteration === 'string' ? iteration : null,
    data: typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {},
  };
}

export function text(event: ExecutionEvent, field: string): string | null {
  const value = event.data[field];
  return typeof value === 'string' ? value : null;
}

export function number(event: ExecutionEvent, field: string): number | null {
  const value = event.data[field];
  return typeof value === 'number' ? value : null;
}

export function texts(event: ExecutionEvent, field: string): string[] {
  const value = event.data[field];
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
}
