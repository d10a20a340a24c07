import { useQuery } from '@tanstack/react-query';
import { api, take } from '@/api/client';

export const CHANNELS = ['channels'] as const;

/** Every notification channel, by name; never their URLs. */
export function useChannels() {
  return useQuery({
    queryKey: CHANNELS,
    queryFn: async ({ signal }) => (await take(api.GET('/api/v1/notification-channels', { signal }))).items,
  });
}
