/** API keys (R65): whose, what they may do, when they were last used, and when they end. */
import { Button, Select, Switch } from '@mantine/core';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { api, take } from '@/api/client';
import { useSession } from '@/api/session';
import type { ApiKeyRow } from '@/api/types';
import { ACCESS, type Look } from '@/theme/status';
import { useNow } from '@/ui/clock';
import { confirm } from '@/ui/confirm';
import { EmptyState } from '@/ui/EmptyState';
import { Distance, Instant } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { StatusBadge } from '@/ui/StatusBadge';
import { said } from '@/ui/toast';
import { More } from '../More';
import { PermissionList } from '../PermissionList';
import { PEOPLE, useUsers } from '../people';
import { Body, Rows, Section } from '../Section';
import { useSend } from '../useSend';
import classes from './ApiKeys.module.css';
import { type KeyMade, KeyOnce } from './KeyOnce';
import { NewKeyDialog } from './NewKeyDialog';

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
  const shown = withEnded ? all : all.filter((each) => stateOf(each, now) === ACCESS.open);
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
            <Rows label="API keys" head={['For', 'User', 'May', 'Status', 'Ends', 'Last used', 'Made', '!Actions']}>
              {shown.map((each) => (
                <Key key={each.keyId} row={each} state={stateOf(each, now)} />
              ))}
            </Rows>
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

function stateOf(key: ApiKeyRow, now: number): Look {
  if (key.revokedAt !== null) return ACCESS.revoked;
  return key.expiresAt !== null && Date.parse(key.expiresAt) <= now ? ACCESS.expired : ACCESS.open;
}

function Key({ row, state }: { row: ApiKeyRow; state: Look }) {
  const revoke = useSend({
    send: (keyId: string, header) =>
      take(api.DELETE('/api/v1/api-keys/{keyId}', { params: { path: { keyId }, header } })),
    changes: PEOPLE,
    done: () => said(`The key of ${row.user} is revoked.`),
    failure: () => `The key of ${row.user} could not be revoked`,
  });
  const ask = async () => {
    const sure = await confirm({
      title: `Revoke this key of ${row.user}?`,
      body: `${row.name || 'It'} opens nothing any more, nor do the sessions that it opened. It cannot be taken back.`,
      action: 'Revoke',
      dangerous: true,
    });
    if (sure) revoke.mutate(row.keyId);
  };
  return (
    <tr>
      <td className={classes.name}>
        <span>{row.name || 'Unnamed'}</span>
        <span className={classes.id} title={row.keyId}>
          …{row.keyId.slice(-8)}
        </span>
      </td>
      <td>{row.user}</td>
      <td>{row.scopes === null ? 'All that the user may' : <PermissionList permissions={row.scopes} />}</td>
      <td>
        <StatusBadge look={state} bare label={state === ACCESS.open ? 'Valid' : state.label} />
      </td>
      <td className={classes.time}>{row.expiresAt === null ? 'Never' : <Distance at={row.expiresAt} />}</td>
      <td className={classes.time}>{row.lastUsedAt === null ? 'Never' : <Distance at={row.lastUsedAt} />}</td>
      <td className={classes.time}>
        <Instant at={row.createdAt} />
      </td>
      <td>
        {row.revokedAt === null && (
          <Button variant="default" size="compact-sm" onClick={ask} loading={revoke.isPending}>
            Revoke
            <span className="visually-hidden"> {row.name || `the key of ${row.user}`}</span>
          </Button>
        )}
      </td>
    </tr>
  );
}
