/** A new agent: its name, its pool and its tags. Its key comes with the answer. */
import { Button, Group, Modal, Select, Stack, TagsInput, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, take } from '@/api/client';
import { nameProblem, namesIn } from '@/api/names';
import { useOnceKey } from '@/api/onceKey';
import { problemOf } from '@/api/problem';
import { ProblemAlert } from '@/ui/ProblemAlert';
import type { AgentKey } from './AgentKeyDialog';
import { reread, usePools } from './queries';

export function NewAgentDialog({
  opened,
  pool = 'default',
  onClose,
  onMade,
}: {
  opened: boolean;
  /** Chosen at first. */
  pool?: string;
  onClose: () => void;
  onMade: (key: AgentKey) => void;
}) {
  return (
    <Modal opened={opened} onClose={onClose} title="New agent">
      <NewAgent key={pool} pool={pool} onClose={onClose} onMade={onMade} />
    </Modal>
  );
}

function NewAgent({
  pool: first,
  onClose,
  onMade,
}: {
  pool: string;
  onClose: () => void;
  onMade: (key: AgentKey) => void;
}) {
  const client = useQueryClient();
  const pools = usePools(false);
  const once = useOnceKey();
  const [name, setName] = useState('');
  const [pool, setPool] = useState(first);
  const [tags, setTags] = useState<string[]>([]);
  const make = useMutation({
    mutationFn: () => {
      const body = { name: name.trim(), pool, tags };
      return take(api.POST('/api/v1/agents', { body, params: { header: { 'Idempotency-Key': once.keyOf(body) } } }));
    },
    onSuccess: (made) => {
      once.done();
      onMade(made);
      void reread(client);
    },
  });
  const wrong = make.error ? problemOf(make.error) : null;
  const at = (path: string) => wrong?.errors.find((each) => each.path.split(/[.[]/)[0] === path)?.message;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!make.isPending) make.mutate();
      }}
    >
      <Stack gap="md">
        <TextInput
          label="Name"
          description="Letters, digits, . _ and -. The machine's name is a good one: it stands beside every job it runs."
          required
          maxLength={63}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={name === '' ? null : (nameProblem(name.trim()) ?? at('name'))}
          autoComplete="off"
          spellCheck={false}
          data-autofocus
        />
        <Select
          label="Pool"
          description="Jobs ask for a pool; it stands for a network or a purpose."
          data={[...new Set([first, ...(pools.data ?? []).map((each) => each.name)])]}
          value={pool}
          onChange={(value) => setPool(value ?? first)}
          allowDeselect={false}
          error={at('pool')}
        />
        <TagsInput
          label="Tags"
          description="A job that asks for tags goes to an agent that has all of them. Enter after each."
          value={tags}
          onChange={(next) => setTags(namesIn(next))}
          error={tags.map(nameProblem).find((each) => each !== null) ?? at('tags')}
          splitChars={[',', ' ']}
          clearable
        />
        {wrong && <ProblemAlert error={wrong} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Leave it
          </Button>
          <Button
            type="submit"
            loading={make.isPending}
            disabled={[name.trim(), ...tags].some((each) => nameProblem(each) !== null)}
          >
            Create it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
