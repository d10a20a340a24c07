/** My own API keys: what opens Runyard in my name, and the way to shut it. */
import { Text } from '@mantine/core';
import { IconKey } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { api, take } from '@/api/client';
import { useMay } from '@/api/session';
import { useNow } from '@/ui/clock';
import { EmptyState } from '@/ui/EmptyState';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { KeyRows } from '../apiKeys/KeyRows';
import { isOpen } from '../apiKeys/state';
import { More } from '../More';
import { PEOPLE } from '../people';
import { Body, Section } from '../Section';

export function OwnKeys() {
  const admin = useMay('automation:admin');
  const now = useNow();
  const keys = useInfiniteQuery({
    queryKey: [...PEOPLE, 'keys', 'own'],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam: cursor, signal }) =>
      take(
        api.GET('/api/v1/me/api-keys', { params: { query: { limit: 100, ...(cursor ? { cursor } : {}) } }, signal }),
      ),
    getNextPageParam: (page) => page.nextCursor,
  });
  const shown = keys.data?.pages.flatMap((page) => page.items).filter((each) => isOpen(each, now)) ?? [];
  return (
    <Section
      title="Your API keys"
      about={
        <>
          Each opens the API and the web app in your name. Revoke one that you do not need or have lost.{' '}
          {!admin && 'An administrator makes new ones.'}
        </>
      }
    >
      {keys.isError ? (
        <Body>
          <ProblemAlert error={keys.error} onRetry={() => keys.refetch()} />
        </Body>
      ) : keys.isPending ? (
        <Body>
          <Text size="sm" c="dimmed" role="status">
            Loading …
          </Text>
        </Body>
      ) : shown.length === 0 && !keys.hasNextPage ? (
        <EmptyState icon={IconKey} title="No keys">
          You come by the identity provider or the admin token; no key opens anything in your name.
        </EmptyState>
      ) : (
        <>
          <KeyRows rows={shown} now={now} own />
          <More list={keys} what="keys" />
        </>
      )}
    </Section>
  );
}
