/** What the page of agents shows of them: which ones, and in which order. */
import type { AgentRow } from '@/api/types';

export const STATUSES = ['online', 'draining', 'offline', 'new', 'revoked'] as const;
export type AgentStatus = AgentRow['status'];

export interface AgentFilter {
  q: string;
  pool: string | null;
  statuses: AgentStatus[];
}

export function readFilter(params: URLSearchParams): AgentFilter {
  return {
    q: params.get('q') ?? '',
    pool: params.get('pool'),
    statuses: STATUSES.filter((each) => params.getAll('status').includes(each)),
  };
}

/** Into an address that may say other things too. */
export function writeFilter(filter: AgentFilter, params: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const name of ['q', 'pool', 'status']) next.delete(name);
  if (filter.q) next.set('q', filter.q);
  if (filter.pool !== null) next.set('pool', filter.pool);
  for (const status of filter.statuses) next.append('status', status);
  return next;
}

/** All but the status: what the counts beside the statuses are of. */
export function matching(agents: readonly AgentRow[], { q, pool }: Pick<AgentFilter, 'q' | 'pool'>): AgentRow[] {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  return agents.filter(
    (each) =>
      (pool === null || each.pool === pool) &&
      words.every((word) =>
        [each.name, each.pool, each.version, ...each.tags, ...each.actions].some((text) =>
          text.toLowerCase().includes(word),
        ),
      ),
  );
}

/** Without a status chosen, those that were revoked are left out: they are history. */
export function shown(agents: readonly AgentRow[], filter: AgentFilter): AgentRow[] {
  return matching(agents, filter).filter((each) =>
    filter.statuses.length === 0 ? each.status !== 'revoked' : filter.statuses.includes(each.status),
  );
}

/** Words for how much can be relied on it. */
export function healthTone(health: number): 'green' | 'amber' | 'red' {
  return health >= 80 ? 'green' : health >= 40 ? 'amber' : 'red';
}
