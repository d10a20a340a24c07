/** API keys as rows: what for, how much, for how long, and the way to revoke each. */
import { Button } from '@mantine/core';
import { api, take } from '@/api/client';
import type { ApiKeyRow } from '@/api/types';
import { ACCESS, type Look } from '@/theme/status';
import { confirm } from '@/ui/confirm';
import { Distance, Instant } from '@/ui/Instant';
import { StatusBadge } from '@/ui/StatusBadge';
import { said } from '@/ui/toast';
import { PermissionList } from '../PermissionList';
import { PEOPLE } from '../people';
import { Rows } from '../Section';
import { useSend } from '../useSend';
import classes from './ApiKeys.module.css';
import { stateOf } from './state';

/** `own`: those of whoever looks, who needs no permission to revoke them. */
export function KeyRows({ rows, now, own = false }: { rows: readonly ApiKeyRow[]; now: number; own?: boolean }) {
  const head = ['For', ...(own ? [] : ['User']), 'May', 'Status', 'Ends', 'Last used', 'Made', '!Actions'];
  return (
    <Rows label={own ? 'Your API keys' : 'API keys'} head={head}>
      {rows.map((each) => (
        <Key key={each.keyId} row={each} state={stateOf(each, now)} own={own} />
      ))}
    </Rows>
  );
}

function Key({ row, state, own }: { row: ApiKeyRow; state: Look; own: boolean }) {
  const revoke = useSend({
    send: (keyId: string, header) => {
      const params = { path: { keyId }, header };
      return own
        ? take(api.DELETE('/api/v1/me/api-keys/{keyId}', { params }))
        : take(api.DELETE('/api/v1/api-keys/{keyId}', { params }));
    },
    changes: PEOPLE,
    done: () => said(`The key of ${row.user} is revoked.`),
    failure: () => `The key of ${row.user} could not be revoked`,
  });
  const ask = async () => {
    const sure = await confirm({
      title: own ? 'Revoke this key of yours?' : `Revoke this key of ${row.user}?`,
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
      {!own && <td>{row.user}</td>}
      <td>
        {row.scopes === null ? (
          own ? (
            'All that you may'
          ) : (
            'All that the user may'
          )
        ) : (
          <PermissionList permissions={row.scopes} />
        )}
      </td>
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
