/** The filter of the list, as it stands in the address (R4): a link shows what I see. */
import type { ExecutionStatus } from '@/api/types';

export const STATUSES: readonly ExecutionStatus[] = [
  'running',
  'paused',
  'pending',
  'failed',
  'completed',
  'cancelled',
];
export const TRIGGERS = ['manual', 'webhook', 'cron', 'incident'] as const;
export type TriggerType = (typeof TRIGGERS)[number];

/** Ranges that end now: what on-call engineers ask for. Milliseconds. */
export const RANGES = { '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000, '30d': 2_592_000_000 } as const;
export type Range = keyof typeof RANGES;

export interface Filter {
  q: string;
  statuses: ExecutionStatus[];
  workflowId: string | null;
  trigger: TriggerType | null;
  /** Of the last so many hours or days; instead of `from` and `to`. */
  range: Range | null;
  from: string | null;
  to: string | null;
}

export const NOTHING: Filter = {
  q: '',
  statuses: [],
  workflowId: null,
  trigger: null,
  range: null,
  from: null,
  to: null,
};

export function isEmpty(filter: Filter): boolean {
  return writeFilter(filter).size === 0;
}

/** What an address says; what it says wrongly is left out. */
export function readFilter(params: URLSearchParams): Filter {
  const trigger = params.get('trigger');
  const range = params.get('range');
  return {
    q: params.get('q') ?? '',
    statuses: STATUSES.filter((each) => params.getAll('status').includes(each)),
    workflowId: params.get('workflowId'),
    trigger: TRIGGERS.find((each) => each === trigger) ?? null,
    range: range !== null && range in RANGES ? (range as Range) : null,
    from: instant(params.get('from')),
    to: instant(params.get('to')),
  };
}

function instant(text: string | null): string | null {
  return text !== null && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : null;
}

export function writeFilter(filter: Filter): URLSearchParams {
  const params = new URLSearchParams();
  if (filter.q) params.set('q', filter.q);
  for (const status of filter.statuses) params.append('status', status);
  for (const name of ['workflowId', 'trigger', 'range'] as const) {
    const value = filter[name];
    if (value !== null) params.set(name, value);
  }
  if (filter.range === null) {
    if (filter.from !== null) params.set('from', filter.from);
    if (filter.to !== null) params.set('to', filter.to);
  }
  return params;
}

/** As the API takes it. A range is counted back from `now`, to the minute, so that one question stays one question for a while. */
export function queryOf(filter: Filter, now: number) {
  const minute = Math.floor(now / 60_000) * 60_000;
  const from = filter.range === null ? filter.from : new Date(minute - RANGES[filter.range]).toISOString();
  return {
    ...(filter.q ? { q: filter.q } : {}),
    ...(filter.statuses.length > 0 ? { status: filter.statuses } : {}),
    ...(filter.workflowId ? { workflowId: filter.workflowId } : {}),
    ...(filter.trigger ? { trigger: filter.trigger } : {}),
    ...(from ? { from } : {}),
    ...(filter.range === null && filter.to ? { to: filter.to } : {}),
  };
}

/** Executions of a page of the list. */
export const PAGE = 50;

/** The first page of what is shown, as the API takes it. */
export function firstPage(filter: Filter, now: number) {
  return { ...queryOf(filter, now), limit: PAGE };
}
