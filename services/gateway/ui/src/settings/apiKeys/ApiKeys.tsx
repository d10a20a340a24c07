/** API keys (R65): whose, what they may do, when they were last used, and when they end. */
import { Button, Select, Switch } from '@mantine/core';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { api, take } from '@/api/client';
import { useSession } from '@/api/session';
import { useNow } from '@/ui/clock';
import { EmptyState } from '@/ui/EmptyState';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { More } from '../More';
import { PEOPLE, useUsers } from '../people';
import { Body, Section } from '../Section';
import classes from './ApiKeys.module.css';
import { type KeyMade, KeyOnce } from './KeyOnce';
import { KeyRows } from './KeyRows';
import { NewKeyDialog } from './NewKeyDialog';
import { isOpen } from './state';

export function ApiKeys() {
  const { name: me } = useSession();
  const users = useUsers();
  const [params, setParams] = useSearchParams();
  const user = params.get('user');
  const withEnded = params.get('ended') === 'true';
  const [asking, setAsking] = useState(false);
  const [made, setMade] = useState<KeyMade | null>(null);
  const keys = useInfiniteQuery({
    queryKey: [...PEOPLE, 'keys', user],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam: cursor, signal }) =>
      take(
        api.GET('/api/v1/api-keys', {
          params: { query: { limit: 100, ...(user ? { user } : {}), ...(cursor ? { cursor } : {}) } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.nextCursor,
  });
  const set = (change: Record<string, string | null>) =>
    setParams(
      (now) => {
        const next = new URLSearchParams(now);
        for (const [name, value] of Object.entries(change)) value === null ? next.delete(name) : next.set(name, value);
        return next;
      },
      { replace: true },
    );
  const now = useNow();
  const all = keys.data?.pages.flatMap((page) => page.items) ?? [];
  const shown = withEnded ? all : all.filter((each) => isOpen(each, now));
  const names = new Set((users.data ?? []).map((each) => each.name));
  if (user !== null) names.add(user);
  return (
    <Section
      title="API keys"
      about={
        <>
          A key opens the API and the web app in the name of its <Link to="/settings/users">user</Link>. Only its hash
          is kept; one that is revoked opens nothing after about a second.
        </>
      }
      actions={
        <>
          <Select
            aria-label="User"
            placeholder="Any user"
            data={[...names]}
            value={user}
            onChange={(value) => set({ user: value })}
            searchable
            clearable
          />
          <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setAsking(true)}>
            New key
          </Button>
        </>
      }
    >
      {keys.isError ? (
        <Body>
          <ProblemAlert error={keys.error} onRetry={() => keys.refetch()} />
        </Body>
      ) : (
        <>
          <div className={classes.filter}>
            <Switch
              label="Also those that were revoked or have expired"
              checked={withEnded}
              onChange={(event) => set({ ended: event.currentTarget.checked ? 'true' : null })}
            />
          </div>
          {keys.isSuccess && shown.length === 0 && !keys.hasNextPage ? (
            <EmptyState icon={IconKey} title="No keys">
              {user === null
                ? 'You come by the admin token or the identity provider. Make a key for a user, so that they or a program can come in.'
                : user === me && !names.has(me)
                  ? 'You come by the admin token of the settings, which is not in this list.'
                  : `${user} has no key that opens anything.`}
            </EmptyState>
          ) : (
            <KeyRows rows={shown} now={now} />
          )}
          <More list={keys} what="keys" />
        </>
      )}
      {asking && (
        <NewKeyDialog
          user={user !== null && users.data?.some((each) => each.name === user) ? user : null}
          onClose={() => setAsking(false)}
          onMade={(key) => {
            setAsking(false);
            setMade(key);
          }}
        />
      )}
      <KeyOnce made={made} onClose={() => setMade(null)} />
    </Section>
  );
}
