import { Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api, take } from '@/api/client';
import type { components } from '@/api/schema';
import type { TenantRow } from '@/api/types';
import { said } from '@/ui/toast';
import { FormDialog, problemAt } from '../FormDialog';
import { useSend } from '../useSend';

export type TenantMade = components['schemas']['TenantMade'];
export const TENANTS = ['tenants'] as const;

interface Entered {
  tenantId: string;
  name: string;
  timeZone: string;
  user: string;
}

/** A new tenant, or the name and the time zone of one. */
export function TenantDialog({
  tenant,
  onClose,
  onMade,
}: {
  tenant: TenantRow | null;
  onClose: () => void;
  onMade: (made: TenantMade) => void;
}) {
  const [entered, setEntered] = useState<Entered>({
    tenantId: tenant?.tenantId ?? '',
    name: tenant?.name ?? '',
    timeZone: tenant?.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    user: 'owner',
  });
  const set = (change: Partial<Entered>) => setEntered({ ...entered, ...change });
  const save = useSend<Entered, TenantMade | null>({
    send: async ({ tenantId, name, timeZone, user }, header) => {
      if (tenant === null)
        return take(api.POST('/api/v1/tenants', { params: { header }, body: { tenantId, name, timeZone, user } }));
      await take(
        api.PATCH('/api/v1/tenants/{tenantId}', { params: { path: { tenantId }, header }, body: { name, timeZone } }),
      );
      return null;
    },
    changes: TENANTS,
    done: (made) => {
      if (made !== null) return onMade(made);
      said(`${entered.name} is changed.`);
      onClose();
    },
  });
  const zones = [...new Set(['UTC', entered.timeZone, ...Intl.supportedValuesOf('timeZone')])];
  return (
    <FormDialog
      title={tenant === null ? 'New tenant' : `The tenant ${tenant.name}`}
      action={tenant === null ? 'Create' : 'Save'}
      busy={save.isPending}
      ready={entered.tenantId !== '' && entered.name.trim() !== ''}
      error={save.error}
      onSubmit={() => save.mutate({ ...entered, name: entered.name.trim() })}
      onClose={onClose}
    >
      <TextInput
        label="Name"
        value={entered.name}
        onChange={(event) => set({ name: event.currentTarget.value })}
        error={problemAt(save.error, 'name')}
        required
        maxLength={200}
        autoComplete="off"
        data-autofocus
      />
      <TextInput
        label="Id"
        description="Lower-case letters, digits and hyphens. It cannot be changed."
        value={entered.tenantId}
        onChange={(event) => set({ tenantId: event.currentTarget.value.trim() })}
        error={problemAt(save.error, 'tenantId')}
        readOnly={tenant !== null}
        required={tenant === null}
        maxLength={63}
        autoComplete="off"
        spellCheck={false}
      />
      <Select
        label="Time zone"
        description="Days of analytics are days there."
        data={zones}
        value={entered.timeZone}
        onChange={(value) => set({ timeZone: value ?? 'UTC' })}
        error={problemAt(save.error, 'timeZone')}
        searchable
        allowDeselect={false}
        limit={100}
      />
      {tenant === null && (
        <TextInput
          label="Its first administrator"
          description="A user name. The key of this user is shown once, when the tenant is made."
          value={entered.user}
          onChange={(event) => set({ user: event.currentTarget.value.trim() })}
          error={problemAt(save.error, 'user')}
          required
          maxLength={200}
          autoComplete="off"
          spellCheck={false}
        />
      )}
    </FormDialog>
  );
}
