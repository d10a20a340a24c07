/** A new user, or what is known of one. A new one can do nothing without a key, so the key is offered with it. */
import { Checkbox, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api, newKey, take } from '@/api/client';
import type { UserRow } from '@/api/types';
import { failed, said } from '@/ui/toast';
import type { KeyMade } from '../apiKeys/KeyOnce';
import { FormDialog, problemAt } from '../FormDialog';
import { PEOPLE, useRoles } from '../people';
import { useSend } from '../useSend';

interface Entered {
  name: string;
  displayName: string | null;
  email: string | null;
  oidcSubject: string | null;
  roles: string[];
}

export function UserDialog({
  user,
  onClose,
  onKeyMade,
}: {
  /** null: a new one. */
  user: UserRow | null;
  onClose: () => void;
  onKeyMade: (key: KeyMade) => void;
}) {
  const roles = useRoles();
  const [entered, setEntered] = useState<Entered>({
    name: user?.name ?? '',
    displayName: user?.displayName ?? null,
    email: user?.email ?? null,
    oidcSubject: user?.oidcSubject ?? null,
    roles: user?.roles ?? ['viewer'],
  });
  const [withKey, setWithKey] = useState(true);
  const set = (change: Partial<Entered>) => setEntered({ ...entered, ...change });
  const save = useSend({
    send: ({ name, ...about }: Entered, header) =>
      user === null
        ? take(api.POST('/api/v1/users', { params: { header }, body: { name: name.trim(), ...about } }))
        : take(api.PATCH('/api/v1/users/{userName}', { params: { path: { userName: name }, header }, body: about })),
    changes: PEOPLE,
    done: async ({ name }) => {
      if (user !== null || !withKey) {
        said(user === null ? `${name} is made.` : `${name} is changed.`);
        onClose();
        return;
      }
      try {
        const header = { 'Idempotency-Key': newKey() };
        onKeyMade(
          await take(api.POST('/api/v1/api-keys', { params: { header }, body: { user: name, name: 'first' } })),
        );
      } catch (error) {
        failed(`${name} is made, but has no key yet`, error);
        onClose();
      }
    },
  });
  const text = (field: 'displayName' | 'email' | 'oidcSubject') => ({
    value: entered[field] ?? '',
    onChange: (event: { currentTarget: { value: string } }) =>
      set({ [field]: event.currentTarget.value.trim() === '' ? null : event.currentTarget.value }),
    error: problemAt(save.error, field),
    autoComplete: 'off',
  });
  return (
    <FormDialog
      title={user === null ? 'New user' : `Edit ${user.name}`}
      action={user === null ? 'Create' : 'Save'}
      busy={save.isPending}
      ready={entered.name.trim() !== ''}
      error={save.error}
      onSubmit={() => save.mutate(entered)}
      onClose={onClose}
    >
      <TextInput
        label="Name"
        description="How they are known here and named as an approver. It cannot be changed; no spaces, colons or slashes."
        value={entered.name}
        onChange={(event) => set({ name: event.currentTarget.value })}
        error={problemAt(save.error, 'name')}
        readOnly={user !== null}
        required={user === null}
        maxLength={200}
        autoComplete="off"
        spellCheck={false}
        data-autofocus={user === null || undefined}
      />
      <TagsInput
        label="Roles"
        description="viewer, operator, manager and admin each may do more than the one before; any other name is a label by which approvers are chosen. Enter after each."
        data={(roles.data ?? []).map((each) => each.name)}
        value={entered.roles}
        onChange={(value) => set({ roles: value })}
        error={problemAt(save.error, 'roles')}
        splitChars={[',', ' ']}
        clearable
      />
      <TextInput label="Display name" {...text('displayName')} />
      <TextInput label="E-mail" {...text('email')} type="email" />
      <TextInput
        label="Subject at the identity provider"
        description="Their claim “sub” there. Needed only for a user made here who signs in there too."
        {...text('oidcSubject')}
      />
      {user === null && (
        <Checkbox
          label="Make an API key for them now"
          description="Without a key, or the identity provider, they cannot come in."
          checked={withKey}
          onChange={(event) => setWithKey(event.currentTarget.checked)}
        />
      )}
    </FormDialog>
  );
}
