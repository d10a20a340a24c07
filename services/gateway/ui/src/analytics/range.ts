/** What the figures are of, as it stands in the address. */
import type { ExecutionStatus } from '@/api/types';
import { NOTHING, TRIGGERS, type TriggerType, writeFilter } from '@/executions/filter';
import { isZone, midnight } from './zones';

/** Ranges that end now. Days are those of the time zone, and today is one of them. */
export const RANGES = {
  '24h': 'Last 24 hours',
  today: 'Today',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
  '90d': 'Last 90 days',
  '365d': 'Last 365 days',
} as const;
export type Range = keyof typeof RANGES;
const FIRST: Range = '7d';

export interface Asked {
  /** null: from `from` to `to`. */
  range: Range | null;
  from: string | null;
  to: string | null;
  /** null: the tenant's own. */
  zone: string | null;
  workflowId: string | null;
  trigger: TriggerType | null;
}

export function readAsked(params: URLSearchParams): Asked {
  const range = params.get('range');
  const zone = params.get('tz');
  const [from, to] = [instant(params.get('from')), instant(params.get('to'))];
  const custom = range === null && (from !== null || to !== null);
  return {
    range: custom ? null : range !== null && range in RANGES ? (range as Range) : FIRST,
    from: custom ? from : null,
    to: custom ? to : null,
    zone: zone !== null && isZone(zone) ? zone : null,
    workflowId: params.get('workflowId'),
    trigger: TRIGGERS.find((each) => each === params.get('trigger')) ?? null,
  };
}

export function writeAsked({ range, from, to, zone, workflowId, trigger }: Asked): URLSearchParams {
  const params = new URLSearchParams();
  const all = { range: range === FIRST ? null : range, from, to, tz: zone, workflowId, trigger };
  for (const [name, value] of Object.entries(all)) if (value !== null) params.set(name, value);
  return params;
}

function instant(text: string | null): string | null {
  return text !== null && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : null;
}

const QUARTER = 900_000;

/** As the API is asked: without `to`, the range ends now. */
export function boundsOf({ range, from, to }: Asked, zone: string, now: number): { from?: string; to?: string } {
  if (range === null) return { ...(from ? { from } : {}), ...(to ? { to } : {}) };
  const days = { '24h': 0, today: 1, '7d': 7, '30d': 30, '90d': 90, '365d': 365 }[range];
  const start = days === 0 ? Math.floor(now / QUARTER) * QUARTER - 86_400_000 : midnight(now, zone, days - 1);
  return { from: new Date(start).toISOString() };
}

/** Whether what happens now is in it: then the figures change. */
export function includesNow({ range, to }: Asked, now: number): boolean {
  return range !== null || to === null || Date.parse(to) > now;
}

/** As much time, right before. */
export function before(from: string, to: string, now: number): { from: string; to: string } {
  const [start, end] = [Date.parse(from), Math.min(Date.parse(to), now)];
  return { from: new Date(2 * start - Math.max(end, start + 1)).toISOString(), to: from };
}

export const ENDED: ExecutionStatus[] = ['completed', 'failed', 'cancelled'];
export const ACTIVE: ExecutionStatus[] = ['running', 'paused', 'pending'];

/** The list of exactly those that a figure counts. */
export function listOf(
  what: { from: string; to: string; workflowId: string | null; trigger: TriggerType | null },
  statuses: ExecutionStatus[] = [],
): string {
  const { from, to, workflowId, trigger } = what;
  return `/automation/executions?${writeFilter({ ...NOTHING, from, to, workflowId, trigger, statuses })}`;
}
