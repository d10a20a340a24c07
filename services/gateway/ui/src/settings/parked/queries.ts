/** Messages nobody could handle, of the whole installation. */
import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, take } from '@/api/client';
import type { ParkedMessage } from '@/api/types';

const PARKED = ['parked-messages'] as const;
const POLL_MS = 5000;
const PAGE = 50;
/** What a badge counts to. */
const COUNTED = 100;

export interface Chosen {
  status: ParkedMessage['status'];
  q: string | null;
}

/** Those parked last come first. What was sent again, and came back, shows up by itself. */
export function useParked({ status, q }: Chosen) {
  return useInfiniteQuery({
    queryKey: [...PARKED, 'list', status, q],
    initialPageParam: null as string | null,
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
    queryFn: ({ pageParam: cursor, signal }) =>
      take(
        api.GET('/api/v1/parked-messages', {
          params: { query: { limit: PAGE, status, ...(q ? { q } : {}), ...(cursor ? { cursor } : {}) } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.nextCursor,
  });
}

/** One, with its body; one that was sent again may come back. */
export function useParkedMessage(messageId: string) {
  return useQuery({
    queryKey: [...PARKED, 'one', messageId],
    refetchInterval: POLL_MS,
    queryFn: ({ signal }) =>
      take(api.GET('/api/v1/parked-messages/{messageId}', { params: { path: { messageId } }, signal })),
  });
}

/** How many wait for somebody to do something, in words; asked once, when the settings are opened. */
export function useParkedCount() {
  return useQuery({
    queryKey: [...PARKED, 'count'],
    queryFn: async ({ signal }) => {
      const page = await take(api.GET('/api/v1/parked-messages', { params: { query: { limit: COUNTED } }, signal }));
      return { count: page.items.length, more: page.nextCursor !== null };
    },
  });
}

export function useReread(): () => Promise<void> {
  const client = useQueryClient();
  return () => client.invalidateQueries({ queryKey: PARKED });
}
