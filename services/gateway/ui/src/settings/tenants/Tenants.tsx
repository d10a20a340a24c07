/** The tenants of this installation: who shares it without seeing each other. */
import { Button, Menu } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, take } from '@/api/client';
import { everyPage } from '@/api/everyPage';
import { useSession } from '@/api/session';
import type { TenantRow } from '@/api/types';
import { ACCESS } from '@/theme/status';
import { confirm } from '@/ui/confirm';
import { Instant } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { Copied, ShownOnceDialog } from '@/ui/ShownOnce';
import { StatusBadge } from '@/ui/StatusBadge';
import { said } from '@/ui/toast';
import { RowMenu } from '../RowMenu';
import { Body, Rows, Section } from '../Section';
import { useSend } from '../useSend';
import { TENANTS, TenantDialog, type TenantMade } from './TenantDialog';

export function Tenants() {
  const tenants = useQuery({
    queryKey: TENANTS,
    queryFn: ({ signal }) =>
      everyPage<TenantRow>((cursor) =>
        take(api.GET('/api/v1/tenants', { params: { query: { limit: 200, ...cursor } }, signal })),
      ),
  });
  const [edited, setEdited] = useState<TenantRow | 'new' | null>(null);
  const [made, setMade] = useState<TenantMade | null>(null);
  return (
    <Section
      title="Tenants"
      about="Who shares this installation. Each has users, workflows, agents and history of its own, and sees nothing of the others."
      actions={
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setEdited('new')}>
          New tenant
        </Button>
      }
    >
      {tenants.isError ? (
        <Body>
          <ProblemAlert error={tenants.error} onRetry={() => tenants.refetch()} />
        </Body>
      ) : (
        <Rows label="Tenants" head={['Id', 'Name', 'Time zone', 'Status', 'Made', '!Actions']}>
          {(tenants.data ?? []).map((each) => (
            <Tenant key={each.tenantId} tenant={each} onEdit={() => setEdited(each)} />
          ))}
        </Rows>
      )}
      {edited !== null && (
        <TenantDialog
          tenant={edited === 'new' ? null : edited}
          onClose={() => setEdited(null)}
          onMade={(tenant) => {
            setEdited(null);
            setMade(tenant);
          }}
        />
      )}
      <ShownOnceDialog
        title={made && `The tenant ${made.name} is made`}
        lost="It is the only way into the new tenant: if it is lost before it was used, make another tenant."
        onClose={() => setMade(null)}
      >
        {made && (
          <>
            <div>
              This is the key of its first administrator, <b>{made.user}</b>, who signs in with it at{' '}
              <code>{window.location.origin}/sign-in</code> and makes all others.
            </div>
            <Copied label="Key" text={made.key} />
          </>
        )}
      </ShownOnceDialog>
    </Section>
  );
}

function Tenant({ tenant, onEdit }: { tenant: TenantRow; onEdit: () => void }) {
  const own = useSession().tenantId === tenant.tenantId;
  const change = useSend({
    send: (disabled: boolean, header) =>
      take(
        api.PATCH('/api/v1/tenants/{tenantId}', {
          params: { path: { tenantId: tenant.tenantId }, header },
          body: { disabled },
        }),
      ),
    changes: TENANTS,
    done: (_, disabled) => said(`${tenant.name} is ${disabled ? 'disabled' : 'enabled'}.`),
    failure: () => `${tenant.name} could not be changed`,
  });
  const ask = async () => {
    const sure = await confirm({
      title: `Disable ${tenant.name}?`,
      body: 'Nobody of it is let in within about a second: no key, token, session or agent. Nothing is deleted, and you can enable it again.',
      action: 'Disable',
      dangerous: true,
    });
    if (sure) change.mutate(true);
  };
  return (
    <tr>
      <td className="mono">{tenant.tenantId}</td>
      <td>
        {tenant.name}
        {own && ' (yours)'}
      </td>
      <td>{tenant.timeZone}</td>
      <td>
        <StatusBadge look={tenant.disabled ? ACCESS.closed : ACCESS.open} bare />
      </td>
      <td>
        <Instant at={tenant.createdAt} />
      </td>
      <td>
        <RowMenu label={`Actions for ${tenant.name}`} busy={change.isPending}>
          <Menu.Item onClick={onEdit}>Edit</Menu.Item>
          {tenant.disabled ? (
            <Menu.Item onClick={() => change.mutate(false)}>Enable</Menu.Item>
          ) : (
            <Menu.Item onClick={ask} disabled={own}>
              {own ? 'Disable (not your own)' : 'Disable …'}
            </Menu.Item>
          )}
        </RowMenu>
      </td>
    </tr>
  );
}
