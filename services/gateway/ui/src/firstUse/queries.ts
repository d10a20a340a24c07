/** What tells how far a new installation has come. */
import { queryOptions } from '@tanstack/react-query';
import { api, take } from '@/api/client';
import { isActive } from '@/theme/status';
import { TRIED } from './progress';

/** The newest executions. */
export const firstExecutions = queryOptions({
  queryKey: ['first-steps', 'executions'],
  queryFn: async ({ signal }) =>
    (await take(api.GET('/api/v1/executions', { params: { query: { limit: TRIED } }, signal }))).items,
  refetchInterval: (query) => (query.state.data?.some((each) => isActive(each.status)) ? 1000 : 5000),
});

/** Workflows, by name; `minPosition`: not before the read model has come to what was just made. */
export function firstWorkflows(minPosition?: number) {
  return queryOptions({
    queryKey: ['first-steps', 'workflows'],
    queryFn: async ({ signal }) =>
      (
        await take(
          api.GET('/api/v1/workflows', {
            params: { query: { limit: 50, ...(minPosition === undefined ? {} : { minPosition }) } },
            signal,
          }),
        )
      ).items,
  });
}
