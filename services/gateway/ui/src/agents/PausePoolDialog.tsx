import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, take } from '@/api/client';
import type { PoolRow } from '@/api/types';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { said } from '@/ui/toast';
import { reread } from './queries';

export function PausePoolDialog({ pool, onClose }: { pool: PoolRow | null; onClose: () => void }) {
  return (
    <Modal opened={pool !== null} onClose={onClose} title={pool && `Pause the pool ${pool.name}`}>
      {pool && <Pause pool={pool} onClose={onClose} />}
    </Modal>
  );
}

function Pause({ pool, onClose }: { pool: PoolRow; onClose: () => void }) {
  const client = useQueryClient();
  const [reason, setReason] = useState('');
  const pause = useMutation({
    mutationFn: () =>
      take(
        api.POST('/api/v1/pools/{poolName}/pause', {
          params: { path: { poolName: pool.name } },
          body: { reason: reason.trim() },
        }),
      ),
    onSuccess: () => {
      said(`${pool.name} is paused`);
      onClose();
      void reread(client);
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!pause.isPending) pause.mutate();
      }}
    >
      <Stack gap="md">
        <Text size="sm">
          Nothing new is sent to its agents; jobs that run go on. Whatever asks for this pool waits, and says so, until
          it is resumed.
        </Text>
        <TextInput
          label="Reason"
          description="Shown wherever a job waits for the pool"
          value={reason}
          maxLength={2000}
          onChange={(event) => setReason(event.currentTarget.value)}
          data-autofocus
        />
        {pause.error && <ProblemAlert error={pause.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Leave it
          </Button>
          <Button type="submit" loading={pause.isPending}>
            Pause it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
