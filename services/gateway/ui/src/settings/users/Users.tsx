/** The people and programs of the tenant (R65): who they are, what roles they have, whether they are let in. */
import { Button, Menu, TextInput } from '@mantine/core';
import { IconSearch, IconUserPlus, IconUsers } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { api, take } from '@/api/client';
import type { UserRow } from '@/api/types';
import { ACCESS } from '@/theme/status';
import { confirm } from '@/ui/confirm';
import { EmptyState } from '@/ui/EmptyState';
import { Instant } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { StatusBadge } from '@/ui/StatusBadge';
import { said } from '@/ui/toast';
import { useTyped } from '@/ui/useTyped';
import { type KeyMade, KeyOnce } from '../apiKeys/KeyOnce';
import { NewKeyDialog } from '../apiKeys/NewKeyDialog';
import { PermissionList } from '../PermissionList';
import { PEOPLE, useUsers } from '../people';
import { RowMenu } from '../RowMenu';
import { Body, Rows, Section } from '../Section';
import { useSend } from '../useSend';
import { UserDialog } from './UserDialog';
import classes from './Users.module.css';

/** More than anyone reads; a search finds the others. */
const SHOWN = 200;

export function Users() {
  const users = useUsers();
  const [params, setParams] = useSearchParams();
  const q = params.get('q') ?? '';
  const typed = useTyped(q, (text) => setParams(text === '' ? {} : { q: text }, { replace: true }), 100);
  const [edited, setEdited] = useState<UserRow | 'new' | null>(null);
  const [keyFor, setKeyFor] = useState<string | null>(null);
  const [made, setMade] = useState<KeyMade | null>(null);
  const found = (users.data ?? []).filter((each) =>
    [each.name, each.displayName, each.email, ...each.roles].some((text) =>
      text?.toLowerCase().includes(q.toLowerCase()),
    ),
  );
  return (
    <Section
      title="Users"
      about={
        <>
          People and programs. What they may do comes from their <Link to="/settings/roles">roles</Link>; they come in
          by an <Link to="/settings/api-keys">API key</Link> or through the identity provider.
        </>
      }
      actions={
        <>
          <TextInput
            aria-label="Find users"
            placeholder="Name, e-mail or role"
            leftSection={<IconSearch size={15} aria-hidden />}
            value={typed.text}
            onChange={(event) => typed.type(event.currentTarget.value)}
          />
          <Button leftSection={<IconUserPlus size={16} aria-hidden />} onClick={() => setEdited('new')}>
            New user
          </Button>
        </>
      }
    >
      {users.isError ? (
        <Body>
          <ProblemAlert error={users.error} onRetry={() => users.refetch()} />
        </Body>
      ) : users.isSuccess && found.length === 0 ? (
        <EmptyState icon={IconUsers} title={q === '' ? 'No users yet' : 'Nobody is found'}>
          {q === ''
            ? 'You come by the admin token, which may do everything. Make a user with a key for everybody else, and for yourself.'
            : 'No name, e-mail or role has this text.'}
        </EmptyState>
      ) : (
        <>
          <Rows label="Users" head={['Name', 'Roles', 'May', 'Status', 'Since', '!Actions']}>
            {found.slice(0, SHOWN).map((each) => (
              <User key={each.name} user={each} onEdit={() => setEdited(each)} onKey={() => setKeyFor(each.name)} />
            ))}
          </Rows>
          {found.length > SHOWN && (
            <p className={classes.more}>{found.length - SHOWN} more: search for them by name, e-mail or role.</p>
          )}
        </>
      )}
      {edited !== null && (
        <UserDialog
          user={edited === 'new' ? null : edited}
          onClose={() => setEdited(null)}
          onKeyMade={(key) => {
            setEdited(null);
            setMade(key);
          }}
        />
      )}
      {keyFor !== null && (
        <NewKeyDialog
          user={keyFor}
          onClose={() => setKeyFor(null)}
          onMade={(key) => {
            setKeyFor(null);
            setMade(key);
          }}
        />
      )}
      <KeyOnce made={made} onClose={() => setMade(null)} />
    </Section>
  );
}

function User({ user, onEdit, onKey }: { user: UserRow; onEdit: () => void; onKey: () => void }) {
  const change = useSend({
    send: (disabled: boolean, header) =>
      take(
        api.PATCH('/api/v1/users/{userName}', {
          params: { path: { userName: user.name }, header },
          body: { disabled },
        }),
      ),
    changes: PEOPLE,
    done: (_, disabled) => said(`${user.name} is ${disabled ? 'disabled' : 'enabled'}.`),
    failure: () => `${user.name} could not be changed`,
  });
  const remove = useSend({
    send: (name: string, header) =>
      take(api.DELETE('/api/v1/users/{userName}', { params: { path: { userName: name }, header } })),
    changes: PEOPLE,
    done: (_, name) => said(`${name} is deleted.`),
    failure: (name) => `${name} could not be deleted`,
  });
  const disable = async () => {
    const sure = await confirm({
      title: `Disable ${user.name}?`,
      body: 'None of their keys, tokens and sessions is taken within about a second. What they started runs on. You can enable them again.',
      action: 'Disable',
      dangerous: true,
    });
    if (sure) change.mutate(true);
  };
  const ask = async () => {
    const sure = await confirm({
      title: `Delete ${user.name}?`,
      body: 'All of their API keys go with them, for good. What they did stays in the audit log and in the executions.',
      action: 'Delete',
      dangerous: true,
    });
    if (sure) remove.mutate(user.name);
  };
  return (
    <tr>
      <td className={classes.name}>
        <b>{user.name}</b>
        <span className={classes.about}>{[user.displayName, user.email].filter(Boolean).join(' · ')}</span>
      </td>
      <td className={classes.roles}>{user.roles.length > 0 ? user.roles.join(', ') : '–'}</td>
      <td>
        <PermissionList permissions={user.permissions} />
      </td>
      <td>
        <StatusBadge look={user.disabled ? ACCESS.closed : ACCESS.open} bare />
      </td>
      <td>
        <Instant at={user.createdAt} />
      </td>
      <td>
        <RowMenu label={`Actions for ${user.name}`} busy={change.isPending || remove.isPending}>
          <Menu.Item onClick={onEdit}>Edit</Menu.Item>
          <Menu.Item onClick={onKey}>Make an API key</Menu.Item>
          <Menu.Item component={Link} to={`/settings/api-keys?user=${encodeURIComponent(user.name)}`}>
            Show their API keys
          </Menu.Item>
          <Menu.Item component={Link} to={`/settings/audit?actor=${encodeURIComponent(user.name)}`}>
            What they did
          </Menu.Item>
          <Menu.Divider />
          {user.disabled ? (
            <Menu.Item onClick={() => change.mutate(false)}>Enable</Menu.Item>
          ) : (
            <Menu.Item onClick={disable}>Disable …</Menu.Item>
          )}
          <Menu.Item color="red" onClick={ask}>
            Delete …
          </Menu.Item>
        </RowMenu>
      </td>
    </tr>
  );
}
