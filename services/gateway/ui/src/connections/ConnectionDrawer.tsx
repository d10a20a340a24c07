/** One connection: how it stands, whether it works, what it is. */
import { Alert, Divider, Drawer, Group, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, take } from '@/api/client';
import { useMay } from '@/api/session';
import type { ConnectionRow } from '@/api/types';
import { CONNECTION } from '@/theme/status';
import { confirm } from '@/ui/confirm';
import { Instant } from '@/ui/Instant';
import { ReasonedButton } from '@/ui/ReasonedButton';
import { StatusBadge } from '@/ui/StatusBadge';
import { failed, said } from '@/ui/toast';
import classes from './ConnectionDrawer.module.css';
import { ConnectionForm } from './ConnectionForm';
import { ConnectionTest } from './ConnectionTest';
import { kindOf } from './kinds';
import { type ConnectionType, reread } from './queries';
import { Affected, type Usage, UsedBy, usageQuery } from './UsedBy';

export const NEW = 'new';

export function ConnectionDrawer({
  chosen,
  types,
  onChoose,
}: {
  /** null: closed; undefined: there is none of this address; `new`. */
  chosen: ConnectionRow | typeof NEW | null | undefined;
  types: readonly ConnectionType[];
  onChoose: (connectionId: string | null) => void;
}) {
  const dirty = useRef(false);
  const leave = async () => {
    if (dirty.current) {
      const yes = await confirm({
        title: 'Leave without saving',
        body: 'What you entered is lost.',
        action: 'Leave',
        dangerous: true,
      });
      if (!yes) return;
    }
    dirty.current = false;
    onChoose(null);
  };
  return (
    <Drawer
      opened={chosen !== null}
      onClose={leave}
      position="right"
      size="lg"
      title={
        <span className={classes.title}>
          {chosen === NEW ? 'New connection' : chosen === undefined ? 'Connection' : chosen?.name}
        </span>
      }
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {chosen === undefined && <Text>There is no connection of this address. It may have been deleted.</Text>}
      {chosen === NEW && (
        <ConnectionForm
          row={null}
          types={types}
          mayManage
          onDirty={(now) => {
            dirty.current = now;
          }}
          onSaved={onChoose}
          onLeave={leave}
        />
      )}
      {chosen && chosen !== NEW && (
        <Detail
          key={chosen.connectionId}
          row={chosen}
          types={types}
          onDirty={(now) => {
            dirty.current = now;
          }}
          onChoose={onChoose}
        />
      )}
    </Drawer>
  );
}

function Detail({
  row,
  types,
  onDirty,
  onChoose,
}: {
  row: ConnectionRow;
  types: readonly ConnectionType[];
  onDirty: (dirty: boolean) => void;
  onChoose: (connectionId: string | null) => void;
}) {
  const mayManage = useMay('automation:manage');
  const [dirty, setDirty] = useState(false);
  const reason = !mayManage
    ? 'To test it you need the permission automation:manage.'
    : dirty
      ? 'Save your changes first: what is tested is what is saved.'
      : row.enabled
        ? null
        : 'It is disabled: enable it to test it.';
  return (
    <Stack gap="lg">
      <div>
        <Group gap="sm">
          <StatusBadge look={CONNECTION[row.enabled ? 'enabled' : 'disabled']} />
          <Text size="sm">{kindOf(row.kind).label}</Text>
          <Text size="sm" c="dimmed">
            changed <Instant at={row.updatedAt} />
          </Text>
        </Group>
        {!row.enabled && (
          <Text size="sm" mt={6}>
            Jobs that use it fail at once, and say why.
          </Text>
        )}
      </div>
      <Commands row={row} onGone={() => onChoose(null)} />
      <ConnectionTest row={row} reason={reason} />
      <UsedBy connection={row.name} />
      <Divider />
      {!mayManage && (
        <Alert color="gray" variant="light">
          To change it you need the permission automation:manage.
        </Alert>
      )}
      <ConnectionForm
        row={row}
        types={types}
        mayManage={mayManage}
        onDirty={(now) => {
          setDirty(now);
          onDirty(now);
        }}
        onSaved={() => {}}
        onLeave={() => onChoose(null)}
      />
    </Stack>
  );
}

function Commands({ row, onGone }: { row: ConnectionRow; onGone: () => void }) {
  const client = useQueryClient();
  const [busy, setBusy] = useState<'enable' | 'disable' | 'delete' | null>(null);
  const manage = useMay('automation:manage') ? null : 'This needs the permission automation:manage';
  const params = { path: { connectionId: row.connectionId } };

  const command = async (what: NonNullable<typeof busy>, not: string, send: () => Promise<unknown>, done: string) => {
    setBusy(what);
    try {
      await send();
      said(done);
      if (what === 'delete') onGone();
    } catch (error) {
      failed(not, error);
    } finally {
      setBusy(null);
      await reread(client);
    }
  };
  /** As it is at this moment: what is asked about is about to be done. */
  const usage = (): Promise<Usage | null> =>
    client.fetchQuery({ ...usageQuery(row.name), staleTime: 0 }).catch(() => null);
  const enable = () =>
    command(
      'enable',
      `${row.name} stays disabled`,
      () => take(api.POST('/api/v1/connections/{connectionId}/enable', { params })),
      `${row.name} is enabled`,
    );
  const disable = async () => {
    const yes = await confirm({
      title: `Disable ${row.name}`,
      body: (
        <>
          Jobs that wait for it, and every new one, fail at once and say why. Jobs that run go on. It can be enabled
          again.
          <Affected connection={row.name} usage={await usage()} what=":" />
        </>
      ),
      action: 'Disable it',
      dangerous: true,
    });
    if (yes) {
      await command(
        'disable',
        `${row.name} stays enabled`,
        () => take(api.POST('/api/v1/connections/{connectionId}/disable', { params })),
        `${row.name} is disabled`,
      );
    }
  };
  const remove = async () => {
    const yes = await confirm({
      title: `Delete ${row.name}`,
      body: (
        <>
          Its configuration and its secrets are forgotten. Jobs that use it fail at once, and workflows that name it
          cannot be published. To stop its use for a while, disable it.
          <Affected connection={row.name} usage={await usage()} what=", and will fail:" />
        </>
      ),
      action: 'Delete it',
      dangerous: true,
    });
    if (yes) {
      await command(
        'delete',
        `${row.name} was not deleted`,
        () => take(api.DELETE('/api/v1/connections/{connectionId}', { params })),
        `${row.name} is deleted`,
      );
    }
  };
  const button = { size: 'compact-sm', variant: 'default', reason: manage } as const;
  return (
    <Group gap={8}>
      {row.enabled ? (
        <ReasonedButton {...button} loading={busy === 'disable'} onClick={disable}>
          Disable …
        </ReasonedButton>
      ) : (
        <ReasonedButton {...button} loading={busy === 'enable'} onClick={enable}>
          Enable
        </ReasonedButton>
      )}
      <ReasonedButton {...button} c="var(--ry-red)" loading={busy === 'delete'} onClick={remove}>
        Delete …
      </ReasonedButton>
    </Group>
  );
}
