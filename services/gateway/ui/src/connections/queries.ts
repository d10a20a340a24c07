import { type QueryClient, useQuery } from '@tanstack/react-query';
import { api, take } from '@/api/client';
import { everyPage } from '@/api/everyPage';
import type { ConnectionRow } from '@/api/types';
import type { JsonSchema } from '@/ui/schemaForm/schema';

export const CONNECTIONS = ['connections'] as const;

/** Every connection, by name. */
export function useConnections() {
  return useQuery({
    queryKey: CONNECTIONS,
    queryFn: ({ signal }) =>
      everyPage<ConnectionRow>((cursor) =>
        take(api.GET('/api/v1/connections', { params: { query: { limit: 200, ...cursor } }, signal })),
      ),
  });
}

export interface ConnectionType {
  kind: string;
  config: JsonSchema;
  secrets: JsonSchema;
}

export function useConnectionTypes() {
  return useQuery({
    queryKey: ['connection-types'],
    staleTime: 60_000,
    queryFn: async ({ signal }): Promise<ConnectionType[]> => {
      const { items } = await take(api.GET('/api/v1/connection-types', { signal }));
      return items.map(({ kind, config, secrets }) => ({
        kind,
        config: config as JsonSchema,
        secrets: secrets as JsonSchema,
      }));
    },
  });
}

export function reread(client: QueryClient): Promise<void> {
  return client.invalidateQueries({ queryKey: CONNECTIONS });
}
