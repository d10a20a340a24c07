/** What a connection is configured with: a form of its kind's JSON Schema, its secrets, and which pools may use it. */
import {
  Button,
  Fieldset,
  Group,
  MultiSelect,
  Select,
  Skeleton,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { usePools } from '@/agents/queries';
import { api, take } from '@/api/client';
import { nameProblem } from '@/api/names';
import { useOnceKey } from '@/api/onceKey';
import { problemOf } from '@/api/problem';
import type { ConnectionRow } from '@/api/types';
import { confirm } from '@/ui/confirm';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { problemsBelow } from '@/ui/schemaForm/paths';
import { said } from '@/ui/toast';
import classes from './ConnectionForm.module.css';
import { bodyOf, type Draft, draftOf, EMPTY, isChanged, withSecret } from './draft';
import { kindOf } from './kinds';
import { type ConnectionType, reread } from './queries';
import { SecretFields } from './SecretFields';
import { Affected, usageQuery } from './UsedBy';

const SchemaForm = lazy(async () => ({ default: (await import('@/ui/schemaForm/SchemaForm')).SchemaForm }));

export function ConnectionForm({
  row,
  types,
  mayManage,
  onDirty,
  onSaved,
  onLeave,
}: {
  /** null: a new one. */
  row: ConnectionRow | null;
  types: readonly ConnectionType[];
  mayManage: boolean;
  onDirty: (dirty: boolean) => void;
  onSaved: (connectionId: string) => void;
  onLeave: () => void;
}) {
  const client = useQueryClient();
  const once = useOnceKey();
  const pools = usePools(false);
  // null: as it stands on the server
  const [edited, setEdited] = useState<Draft | null>(null);
  const draft = edited ?? (row ? draftOf(row) : EMPTY);
  const dirty = isChanged(draft, row);
  const change = (next: Draft) => {
    setEdited(next);
    onDirty(isChanged(next, row));
  };
  const save = useMutation({
    mutationFn: () => {
      const body = bodyOf(draft);
      const header = { 'Idempotency-Key': once.keyOf(body) };
      return row === null
        ? take(api.POST('/api/v1/connections', { body: { ...body, kind: draft.kind }, params: { header } }))
        : take(
            api.PUT('/api/v1/connections/{connectionId}', {
              body,
              params: { path: { connectionId: row.connectionId }, header },
            }),
          );
    },
    onSuccess: async (saved) => {
      once.done();
      onDirty(false);
      await reread(client);
      setEdited(null);
      said(row === null ? `${saved.name} is there` : `${saved.name} is saved`);
      onSaved(saved.connectionId);
    },
  });
  /** Under another name those that use it do not find it. */
  const mayRename = async (): Promise<boolean> => {
    if (row === null || draft.name.trim() === row.name) return true;
    const usage = await client.fetchQuery({ ...usageQuery(row.name), staleTime: 0 }).catch(() => null);
    if (usage?.workflows.length === 0) return true;
    return confirm({
      title: `Rename ${row.name} to ${draft.name.trim()}`,
      body: (
        <>
          Workflows find a connection by its name.
          <Affected connection={row.name} usage={usage} what=" by the old one, and will fail until they are changed:" />
        </>
      ),
      action: 'Rename it',
      dangerous: true,
    });
  };
  const type = types.find((each) => each.kind === draft.kind);
  const problem = save.error ? problemOf(save.error) : null;
  const errors = problem?.errors ?? [];
  const at = (path: string) => errors.find((each) => each.path === path || each.path.startsWith(`${path}[`))?.message;
  const name = draft.name.trim();
  const disabled = !mayManage;
  return (
    <form
      aria-label={row === null ? 'New connection' : `Connection ${row.name}`}
      onSubmit={(event) => {
        event.preventDefault();
        if (!save.isPending) void mayRename().then((yes) => yes && save.mutate());
      }}
    >
      <Stack gap="md">
        {row === null && (
          <Select
            label="Kind"
            required
            searchable
            data={types.map((each) => ({ value: each.kind, label: kindOf(each.kind).label }))}
            value={draft.kind || null}
            onChange={(kind) => change({ ...draft, kind: kind ?? '', config: {}, secrets: {} })}
            allowDeselect={false}
            description={kindOf(draft.kind).about || 'What is at the other end'}
            error={at('kind')}
            data-autofocus
          />
        )}
        <TextInput
          label="Name"
          description="Workflows name it by this."
          required
          maxLength={63}
          value={draft.name}
          disabled={disabled}
          onChange={(event) => change({ ...draft, name: event.currentTarget.value })}
          error={name === '' ? null : (nameProblem(name) ?? at('name'))}
          autoComplete="off"
          spellCheck={false}
        />
        {type && Object.keys(type.config.properties ?? {}).length > 0 && (
          <Fieldset legend="Configuration" className={classes.group}>
            {row !== null && kindOf(draft.kind).about && (
              <Text size="xs" c="dimmed" mb="xs">
                {kindOf(draft.kind).about}
              </Text>
            )}
            <Suspense fallback={<Skeleton height={180} />}>
              <SchemaForm
                key={draft.kind}
                schema={type.config}
                value={draft.config}
                onChange={(config) => change({ ...draft, config })}
                errors={problemsBelow('config', errors)}
                disabled={disabled}
                idPrefix="connection"
              />
            </Suspense>
          </Fieldset>
        )}
        {type && (
          <SecretFields
            schema={type.secrets}
            kept={row?.secrets ?? []}
            changes={draft.secrets}
            onChange={(secret, to) => change(withSecret(draft, secret, to))}
            errors={problemsBelow('secrets', errors)}
            disabled={disabled}
          />
        )}
        <MultiSelect
          label="Pools that may use it"
          description="Only agents of these pools ever get its secrets; without any, those of all."
          placeholder={draft.pools.length === 0 ? 'All pools' : undefined}
          data={[...new Set([...(pools.data ?? []).map((each) => each.name), ...draft.pools])]}
          value={draft.pools}
          disabled={disabled}
          onChange={(next) => change({ ...draft, pools: next })}
          error={at('pools')}
          searchable
          clearable
        />
        <Textarea
          label="Description"
          value={draft.description}
          disabled={disabled}
          maxLength={2000}
          autosize
          minRows={1}
          maxRows={6}
          onChange={(event) => change({ ...draft, description: event.currentTarget.value })}
        />
        {problem && <ProblemAlert error={problem} />}
        {mayManage && (
          <Group justify="flex-end">
            {row === null && (
              <Button variant="default" onClick={onLeave}>
                Leave it
              </Button>
            )}
            <Button
              type="submit"
              loading={save.isPending}
              disabled={!dirty || draft.kind === '' || nameProblem(name) !== null}
            >
              {row === null ? 'Create it' : 'Save'}
            </Button>
          </Group>
        )}
      </Stack>
    </form>
  );
}
