import { TextInput } from '@mantine/core';
import { useState } from 'react';
import { api, take } from '@/api/client';
import type { RoleRow } from '@/api/types';
import { said } from '@/ui/toast';
import { FormDialog, problemAt } from '../FormDialog';
import { PermissionChoice, type TenantPermission } from '../PermissionChoice';
import { PEOPLE } from '../people';
import { TENANT_PERMISSIONS } from '../permissions';
import { useSend } from '../useSend';

/** A new role, or what one permits. */
export function RoleDialog({ role, onClose }: { role: RoleRow | null; onClose: () => void }) {
  const [name, setName] = useState(role?.name ?? '');
  const [permissions, setPermissions] = useState<TenantPermission[]>(
    role === null ? ['automation:view'] : TENANT_PERMISSIONS.filter((each) => role.permissions.includes(each)),
  );
  const save = useSend({
    send: (sent: { name: string; permissions: TenantPermission[] }, header) =>
      take(
        api.PUT('/api/v1/roles/{roleName}', {
          params: { path: { roleName: sent.name }, header },
          body: { permissions: sent.permissions },
        }),
      ),
    changes: PEOPLE,
    done: ({ name: saved }) => {
      said(`The role ${saved} is saved. It holds within about a second.`);
      onClose();
    },
  });
  const wrong = name !== '' && !/^[^\s:/]{1,200}$/.test(name.trim());
  return (
    <FormDialog
      title={role === null ? 'New role' : `The role ${role.name}`}
      action="Save"
      busy={save.isPending}
      ready={name.trim() !== '' && !wrong}
      error={save.error}
      onSubmit={() => save.mutate({ name: name.trim(), permissions })}
      onClose={onClose}
    >
      {role === null && (
        <TextInput
          label="Name"
          description="No spaces, colons or slashes. A name that is a role already is replaced."
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={wrong ? 'has a space, a colon or a slash' : undefined}
          required
          maxLength={200}
          autoComplete="off"
          spellCheck={false}
          data-autofocus
        />
      )}
      <PermissionChoice
        label="It permits"
        value={permissions}
        onChange={setPermissions}
        error={problemAt(save.error, 'permissions')}
      />
    </FormDialog>
  );
}
