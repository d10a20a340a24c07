import { Radio, Select, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api, take } from '@/api/client';
import { FormDialog, problemAt } from '../FormDialog';
import { PermissionChoice, type TenantPermission } from '../PermissionChoice';
import { PEOPLE, useUsers } from '../people';
import { useSend } from '../useSend';
import { EXPIRIES, type Expiry, expiresAt } from './expiry';
import type { KeyMade } from './KeyOnce';

/** A new API key of a user: what for, how much it may do, for how long. */
export function NewKeyDialog({
  user,
  onClose,
  onMade,
}: {
  /** Chosen at first. */
  user: string | null;
  onClose: () => void;
  onMade: (key: KeyMade) => void;
}) {
  const users = useUsers();
  const [owner, setOwner] = useState(user);
  const [name, setName] = useState('');
  const [limited, setLimited] = useState(false);
  const [scopes, setScopes] = useState<TenantPermission[]>(['automation:view']);
  const [expiry, setExpiry] = useState<Expiry>('90');
  const [day, setDay] = useState('');
  const until = expiresAt(expiry, day, Date.now());
  const make = useSend({
    // the instant is made when it is sent, so it is not part of what tells one command from another
    send: (
      sent: { user: string; name: string; scopes: TenantPermission[] | null; expiry: Expiry; day: string },
      header,
    ) =>
      take(
        api.POST('/api/v1/api-keys', {
          params: { header },
          body: { user: sent.user, name: sent.name.trim(), scopes: sent.scopes, expiresAt: until ?? null },
        }),
      ),
    changes: PEOPLE,
    done: onMade,
  });
  const chosen = users.data?.find((each) => each.name === owner);
  return (
    <FormDialog
      title={user === null ? 'New API key' : `New API key of ${user}`}
      action="Make the key"
      busy={make.isPending}
      ready={owner !== null && until !== undefined && !(limited && scopes.length === 0)}
      error={make.error}
      onSubmit={() => make.mutate({ user: owner ?? '', name, scopes: limited ? scopes : null, expiry, day })}
      onClose={onClose}
    >
      {user === null && (
        <Select
          label="User"
          description="What is done with the key is done in their name."
          data={(users.data ?? []).map((each) => each.name)}
          value={owner}
          onChange={setOwner}
          searchable
          required
          nothingFoundMessage={users.isPending ? 'Loading …' : 'No user has this name: make one first'}
          error={problemAt(make.error, 'user')}
        />
      )}
      <TextInput
        label="What it is for"
        description="To tell it from others: a program, a machine."
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        error={problemAt(make.error, 'name')}
        maxLength={200}
        autoComplete="off"
        data-autofocus={user !== null || undefined}
      />
      <Radio.Group
        label="It may do"
        value={limited ? 'some' : 'all'}
        onChange={(value) => setLimited(value === 'some')}
      >
        <Stack gap="xs" mt="xs">
          <Radio value="all" label={`All that ${owner ?? 'the user'} may do, now and later`} />
          <Radio value="some" label="Only some of it" />
        </Stack>
      </Radio.Group>
      {limited && (
        <PermissionChoice
          label="No more than"
          description={
            chosen?.permissions.length === 0
              ? `${chosen.name} may do none of these: the key opens nothing until they may.`
              : ''
          }
          value={scopes}
          onChange={setScopes}
          error={problemAt(make.error, 'scopes')}
        />
      )}
      <Select
        label="It ends"
        data={EXPIRIES}
        value={expiry}
        onChange={(value) => setExpiry((value as Expiry | null) ?? '90')}
        allowDeselect={false}
        error={problemAt(make.error, 'expiresAt')}
      />
      {expiry === 'day' && (
        <TextInput
          type="date"
          label="Its last day"
          value={day}
          onChange={(event) => setDay(event.currentTarget.value)}
          error={day !== '' && until === undefined ? 'is over already' : undefined}
          required
        />
      )}
    </FormDialog>
  );
}
