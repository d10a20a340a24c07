import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, take } from '@/api/client';
import { nameProblem } from '@/api/names';
import { useOnceKey } from '@/api/onceKey';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { said } from '@/ui/toast';
import { reread } from './queries';

export function NewPoolDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="New pool">
      <NewPool onClose={onClose} />
    </Modal>
  );
}

function NewPool({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const once = useOnceKey();
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const make = useMutation({
    mutationFn: () => {
      const body = { name: name.trim(), description: description.trim() };
      return take(api.POST('/api/v1/pools', { body, params: { header: { 'Idempotency-Key': once.keyOf(body) } } }));
    },
    onSuccess: async (made) => {
      said(`The pool ${made.name} is there`);
      await reread(client);
      onClose();
    },
  });
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
          description="Letters, digits, . _ and -. Workflows name it: a network or a purpose, such as dmz or databases."
          required
          maxLength={63}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={name === '' ? null : nameProblem(name.trim())}
          autoComplete="off"
          spellCheck={false}
          data-autofocus
        />
        <TextInput
          label="Description"
          value={description}
          maxLength={2000}
          onChange={(event) => setDescription(event.currentTarget.value)}
        />
        {make.error && <ProblemAlert error={make.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Leave it
          </Button>
          <Button type="submit" loading={make.isPending} disabled={nameProblem(name.trim()) !== null}>
            Create it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
