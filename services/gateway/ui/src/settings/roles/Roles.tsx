/** Roles (R65): the four that are built in, those of this tenant, and the labels by which approvers are chosen. */
import { Button, Menu } from '@mantine/core';
import { IconCheck, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, take } from '@/api/client';
import type { RoleRow } from '@/api/types';
import { confirm } from '@/ui/confirm';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { said } from '@/ui/toast';
import { PEOPLE, useRoles } from '../people';
import { PERMISSIONS, TENANT_PERMISSIONS } from '../permissions';
import { RowMenu } from '../RowMenu';
import { Body, Rows, Section } from '../Section';
import { useSend } from '../useSend';
import { RoleDialog } from './RoleDialog';
import classes from './Roles.module.css';

export function Roles() {
  const roles = useRoles();
  const [edited, setEdited] = useState<RoleRow | 'new' | null>(null);
  return (
    <Section
      title="Roles"
      about={
        <>
          What a user may do is what their roles give together. A name that gives nothing is a label: a workflow names
          its approvers by it, as in <code>role:oncall</code>.
        </>
      }
      actions={
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setEdited('new')}>
          New role
        </Button>
      }
    >
      {roles.isError ? (
        <Body>
          <ProblemAlert error={roles.error} onRetry={() => roles.refetch()} />
        </Body>
      ) : (
        <Rows
          label="Roles"
          head={['Name', 'Kind', ...TENANT_PERMISSIONS.map((each) => PERMISSIONS[each].short), 'Users', '!Actions']}
        >
          {(roles.data ?? []).map((each) => (
            <Role key={each.name} role={each} onEdit={() => setEdited(each)} />
          ))}
        </Rows>
      )}
      {edited !== null && <RoleDialog role={edited === 'new' ? null : edited} onClose={() => setEdited(null)} />}
    </Section>
  );
}

function Role({ role, onEdit }: { role: RoleRow; onEdit: () => void }) {
  const remove = useSend({
    send: (roleName: string, header) =>
      take(api.DELETE('/api/v1/roles/{roleName}', { params: { path: { roleName }, header } })),
    changes: PEOPLE,
    done: () => said(`The role ${role.name} is deleted.`),
    failure: () => `The role ${role.name} could not be deleted`,
  });
  const ask = async () => {
    const sure = await confirm({
      title: `Delete the role ${role.name}?`,
      body: 'It gives nothing any more. Whoever has it keeps its name as a label.',
      action: 'Delete',
      dangerous: true,
    });
    if (sure) remove.mutate(role.name);
  };
  return (
    <tr>
      <td className={classes.name}>{role.name}</td>
      <td className={classes.kind}>{role.builtIn ? 'Built in' : role.isLabel ? 'Label' : 'Of this tenant'}</td>
      {TENANT_PERMISSIONS.map((each) => (
        <td key={each}>
          {role.permissions.includes(each) ? (
            <IconCheck size={16} role="img" aria-label="Yes" />
          ) : (
            <span className={classes.no}>–</span>
          )}
        </td>
      ))}
      <td className="numbers">
        {role.users > 0 ? <Link to={`/settings/users?q=${encodeURIComponent(role.name)}`}>{role.users}</Link> : 0}
      </td>
      <td>
        {!role.builtIn && (
          <RowMenu label={`Actions for ${role.name}`} busy={remove.isPending}>
            <Menu.Item onClick={onEdit}>{role.isLabel ? 'Give it permissions' : 'Change what it permits'}</Menu.Item>
            {!role.isLabel && (
              <Menu.Item color="red" onClick={ask}>
                Delete …
              </Menu.Item>
            )}
          </RowMenu>
        )}
      </td>
    </tr>
  );
}
