/** What is known of a parked message, in words. */
import type { ParkedMessage } from '@/api/types';

const SERVICES: Record<string, string> = {
  orchestrator: 'Orchestrator',
  approvals: 'Approvals',
  dispatcher: 'Dispatcher',
  projections: 'Read models',
};

/** Whose queue it came for. */
export function serviceOf(queue: string): string {
  return SERVICES[queue.split('.')[0] ?? ''] ?? 'Another version';
}

export function kindOf({ kind }: Pick<ParkedMessage, 'kind'>): string {
  return kind === '' ? 'Not readable' : kind;
}

/** How often it was tried, and how often that was given up. */
export function triedText({ attempts, times }: Pick<ParkedMessage, 'attempts' | 'times'>): string {
  const tried = attempts === 0 ? 'Not at all' : attempts === 1 ? 'Once' : `${attempts.toLocaleString()} times`;
  return times === 1 ? tried : `${tried}, parked ${times === 2 ? 'twice' : `${times.toLocaleString()} times`}`;
}

/** Why it cannot be sent again; null if it can. */
export function notRetryable(message: Pick<ParkedMessage, 'retryable' | 'status' | 'settledBy'>): string | null {
  if (message.status !== 'waiting')
    return `It was ${message.status === 'retried' ? 'sent again' : 'dropped'} by ${message.settledBy ?? 'someone'}`;
  if (message.retryable) return null;
  return 'Only part of it was kept: it is no JSON, is larger than 4 MiB, or held a secret. Whoever sent it has heard of no success: have it done anew, and drop this';
}

/** The message as JSON; undefined if it is none, or only the beginning of some. */
export function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
