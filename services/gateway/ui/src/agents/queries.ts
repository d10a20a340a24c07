/** Agents and pools as the API says them, asked again every 5 s while the page is looked at: there is no stream of them. */
import { keepPreviousData, type QueryClient, useQuery } from '@tanstack/react-query';
import { api, take } from '@/api/client';
import { everyPage } from '@/api/everyPage';
import type { AgentRow, PoolRow } from '@/api/types';

const POLL_MS = 5000;
const PAGE = 200;
export const AGENTS = ['agents'] as const;
export const POOLS = ['pools'] as const;

/** Every agent, by name. */
export function useAgents(poll = true) {
  return useQuery({
    queryKey: AGENTS,
    refetchInterval: poll && POLL_MS,
    queryFn: ({ signal }) =>
      everyPage<AgentRow>((cursor) =>
        take(api.GET('/api/v1/agents', { params: { query: { limit: PAGE, ...cursor } }, signal })),
      ),
  });
}

/** Every pool, by name. */
export function usePools(poll = true) {
  return useQuery({
    queryKey: POOLS,
    refetchInterval: poll && POLL_MS,
    queryFn: ({ signal }) =>
      everyPage<PoolRow>((cursor) =>
        take(api.GET('/api/v1/pools', { params: { query: { limit: PAGE, ...cursor } }, signal })),
      ),
  });
}

/** What the agent has now; asked again as the page does, while it has something. */
export function useHeldJobs(agentId: string, running: number) {
  return useQuery({
    // another number, another list
    queryKey: [...AGENTS, agentId, 'jobs', running],
    refetchInterval: running > 0 && POLL_MS,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => take(api.GET('/api/v1/agents/{agentId}/jobs', { params: { path: { agentId } }, signal })),
  });
}

/** What goes on in the pool; asked again as the page does, while something does. */
export function usePoolJobs({ name, running, waiting }: PoolRow) {
  return useQuery({
    // other numbers, other lists
    queryKey: [...POOLS, name, 'jobs', running, waiting],
    refetchInterval: running + waiting > 0 && POLL_MS,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      take(api.GET('/api/v1/pools/{poolName}/jobs', { params: { path: { poolName: name } }, signal })),
  });
}

export async function reread(client: QueryClient): Promise<void> {
  await Promise.all([client.invalidateQueries({ queryKey: AGENTS }), client.invalidateQueries({ queryKey: POOLS })]);
}
