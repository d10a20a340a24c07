/** What there is to refer to: action types, connections, pools, workflows. Missing while it is loaded, never in the way. */
import { useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, take } from '@/api/client';
import type { ActionTypeRow, ConnectionRow, PoolRow } from '@/api/types';
import type { Fields, Surroundings } from './completion/options';

const NEVER_OLD = 60_000;

export interface Known extends Surroundings {
  actionTypes: readonly ActionTypeRow[];
  connectionRows: readonly ConnectionRow[];
  poolRows: readonly PoolRow[];
}

export function useSurroundings(): Known {
  const [actions, connections, pools, workflows] = useQueries({
    queries: [
      {
        queryKey: ['actionTypes'],
        staleTime: NEVER_OLD,
        queryFn: ({ signal }: { signal: AbortSignal }) => take(api.GET('/api/v1/action-types', { signal })),
      },
      {
        queryKey: ['connections', 'names'],
        staleTime: NEVER_OLD,
        queryFn: ({ signal }: { signal: AbortSignal }) =>
          take(api.GET('/api/v1/connections', { params: { query: { limit: 200 } }, signal })),
      },
      {
        queryKey: ['pools', 'names'],
        staleTime: NEVER_OLD,
        queryFn: ({ signal }: { signal: AbortSignal }) =>
          take(api.GET('/api/v1/pools', { params: { query: { limit: 200 } }, signal })),
      },
      {
        queryKey: ['workflows', 'names'],
        staleTime: NEVER_OLD,
        queryFn: ({ signal }: { signal: AbortSignal }) =>
          take(api.GET('/api/v1/workflows', { params: { query: { limit: 200, active: true } }, signal })),
      },
    ],
  });
  return useMemo(() => {
    const actionTypes = actions.data?.items ?? [];
    return {
      actionTypes,
      connectionRows: connections.data?.items ?? [],
      poolRows: pools.data?.items ?? [],
      actions: actionTypes.map((each) => ({
        ...each,
        params: each.params as unknown as Fields,
        output: each.output as unknown as Fields,
      })),
      connections: connections.data?.items ?? [],
      pools: pools.data?.items ?? [],
      workflows: workflows.data?.items ?? [],
    };
  }, [actions.data, connections.data, pools.data, workflows.data]);
}
