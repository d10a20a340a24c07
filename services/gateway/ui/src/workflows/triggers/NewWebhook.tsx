import { Button, Group, Modal, NumberInput, Radio, Select, Stack, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { api, take } from '@/api/client';
import type { WebhookMade, WebhookRow, WorkflowDetail } from '@/api/types';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { workflowKey } from '../queries';

type Preset = WebhookRow['preset'];
type Auth = WebhookRow['auth'];

/** Each sender proves itself in its own way; only one's own programs can choose. */
const PROOF: Record<Preset, Auth | null> = { generic: null, github: 'hmac', alertmanager: 'bearer' };

export function NewWebhook({
  workflow,
  ids,
  onClose,
  onMade,
}: {
  workflow: WorkflowDetail;
  ids: readonly string[];
  onClose: () => void;
  onMade: (made: WebhookMade) => void;
}) {
  const client = useQueryClient();
  const { workflowId } = workflow;
  const [webhookId, setWebhookId] = useState(ids[0] ?? '');
  const [preset, setPreset] = useState<Preset>('generic');
  const [chosen, setChosen] = useState<Auth>('bearer');
  const [maxAge, setMaxAge] = useState<number | string>('');
  const [description, setDescription] = useState('');
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const auth = PROOF[preset] ?? chosen;
  const dated = auth === 'hmac' && preset === 'generic';
  const make = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      const made = await take(
        api.POST('/api/v1/workflows/{workflowId}/webhooks', {
          params: { path: { workflowId } },
          body: {
            webhookId,
            preset,
            auth,
            description: description.trim(),
            maxAgeSeconds: dated && typeof maxAge === 'number' ? maxAge : null,
          },
        }),
      );
      void client.invalidateQueries({ queryKey: [...workflowKey(workflowId), 'webhooks'] });
      onMade(made);
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={onClose} title="New webhook">
      <form onSubmit={make}>
        <Stack gap="sm">
          {ids.length > 1 && (
            <Select
              label="Trigger"
              description="Its id in the document"
              data={ids}
              value={webhookId}
              onChange={(next) => setWebhookId(next ?? '')}
              allowDeselect={false}
            />
          )}
          <TextInput
            label="Sender"
            description="To tell it from others; make one for each sender."
            placeholder="Grafana in Frankfurt"
            value={description}
            onChange={({ currentTarget }) => setDescription(currentTarget.value)}
            maxLength={2000}
            data-autofocus
          />
          <Select
            label="Who sends"
            data={[
              { value: 'generic', label: 'A program of yours' },
              { value: 'github', label: 'GitHub' },
              { value: 'alertmanager', label: 'Prometheus Alertmanager' },
            ]}
            value={preset}
            onChange={(next) => setPreset((next ?? 'generic') as Preset)}
            allowDeselect={false}
          />
          {preset === 'generic' && (
            <Radio.Group label="How it proves itself" value={chosen} onChange={(next) => setChosen(next as Auth)}>
              <Stack gap={6} mt={6}>
                <Radio value="bearer" label="Shows the secret in the header Authorization" />
                <Radio value="hmac" label="Signs the body with the secret (HMAC-SHA256)" />
              </Stack>
            </Radio.Group>
          )}
          {dated && (
            <NumberInput
              label="Refuse what was signed longer ago (seconds)"
              description="Against replays: the sender has to add the time. Empty: whenever it was signed."
              value={maxAge}
              onChange={setMaxAge}
              min={1}
              max={86400}
              allowDecimal={false}
            />
          )}
          {error !== null && <ProblemAlert error={error} title="No webhook was made" />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Leave it
            </Button>
            <Button type="submit" loading={busy}>
              Make it
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
