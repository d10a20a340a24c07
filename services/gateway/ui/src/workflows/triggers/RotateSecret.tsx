import { Button, Group, Modal, Select, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, take } from '@/api/client';
import type { WebhookRow } from '@/api/types';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { workflowKey } from '../queries';

const OVERLAPS = [
  { value: '0', label: 'Not at all: it leaked' },
  { value: '3600', label: 'For an hour' },
  { value: '86400', label: 'For a day' },
  { value: '604800', label: 'For a week' },
];

export function RotateSecret({
  hook,
  name,
  onClose,
  onMade,
}: {
  hook: WebhookRow;
  name: string;
  onClose: () => void;
  onMade: (made: WebhookRow & { secret: string }) => void;
}) {
  const client = useQueryClient();
  const [overlap, setOverlap] = useState('3600');
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const rotate = async () => {
    setBusy(true);
    setError(null);
    try {
      const made = await take(
        api.POST('/api/v1/workflows/{workflowId}/webhooks/{hookId}/rotate', {
          params: { path: { workflowId: hook.workflowId, hookId: hook.hookId } },
          body: { oldSecretSeconds: Number(overlap) },
        }),
      );
      void client.invalidateQueries({ queryKey: [...workflowKey(hook.workflowId), 'webhooks'] });
      onMade(made);
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={onClose} title={`New secret for ${name}`}>
      <Stack gap="sm">
        <Text size="sm">The address stays. The new secret is shown once.</Text>
        <Select
          label="How long the old secret is taken too"
          data={OVERLAPS}
          value={overlap}
          onChange={(next) => setOverlap(next ?? '0')}
          allowDeselect={false}
        />
        {error !== null && <ProblemAlert error={error} title="The secret is still the old one" />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Leave it
          </Button>
          <Button loading={busy} onClick={() => void rotate()}>
            Make a new secret
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
