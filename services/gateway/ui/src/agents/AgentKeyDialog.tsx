/** The key of an agent, shown this once, what to do with it, and whether it has come. */
import { Alert, Button, Group, Loader, Modal, Stack, Text } from '@mantine/core';
import { IconCircleCheck, IconKey } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { api, take } from '@/api/client';
import { CopyButton } from '@/ui/CopyButton';
import classes from './AgentKeyDialog.module.css';

export interface AgentKey {
  agentId: string;
  name: string;
  key: string;
  command: string;
}

export function AgentKeyDialog({ made, onClose }: { made: AgentKey | null; onClose: () => void }) {
  return (
    <Modal
      opened={made !== null}
      onClose={onClose}
      title={made && `The key of ${made.name}`}
      size="lg"
      // it cannot be shown again: it is closed on purpose only
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      {made && <KeyOnce made={made} onClose={onClose} />}
    </Modal>
  );
}

function KeyOnce({ made, onClose }: { made: AgentKey; onClose: () => void }) {
  return (
    <Stack gap="md">
      <Alert color="yellow" variant="light" icon={<IconKey aria-hidden />} title="Shown this once">
        The server keeps only a hash of it. Whoever lost it makes a new one with “New key”.
      </Alert>
      <Secret label="Key" text={made.key} what="the key" />
      <div>
        <Text size="sm" fw={600}>
          Start it where its jobs are to run
        </Text>
        <Text size="sm" c="dimmed">
          The machine needs Python 3.11 and the package <code>runyard-agent</code>, and reaches this server; nothing has
          to reach the machine. <code>runyard-agent check</code> with the same options says what is missing.
        </Text>
      </div>
      <Secret label="Command" text={made.command} what="the command" />
      <Coming agentId={made.agentId} name={made.name} />
      <Group justify="flex-end">
        <Button onClick={onClose}>I have stored the key</Button>
      </Group>
    </Stack>
  );
}

function Secret({ label, text, what }: { label: string; text: string; what: string }) {
  return (
    <div className={classes.secret}>
      <section className={classes.text} aria-label={label}>
        {text}
      </section>
      <CopyButton value={text} what={what} />
    </div>
  );
}

/** Live: the dialog of a first agent is where one waits for it. */
function Coming({ agentId, name }: { agentId: string; name: string }) {
  const agent = useQuery({
    queryKey: ['agents', agentId, 'coming'],
    staleTime: 0,
    refetchInterval: 1500,
    queryFn: ({ signal }) => take(api.GET('/api/v1/agents/{agentId}', { params: { path: { agentId } }, signal })),
  });
  const row = agent.data;
  const online = row?.status === 'online' || row?.status === 'draining';
  return (
    <div role="status" className={classes.coming} data-online={online}>
      {online ? (
        <>
          <IconCircleCheck size={20} aria-hidden />
          <span>
            <b>{name} is online</b>, version {row.version}, over {row.transport}, with {row.capacity} slots in pool{' '}
            {row.pool}.
          </span>
        </>
      ) : (
        <>
          <Loader size={18} aria-hidden />
          <span>
            Waiting for {name} to come online
            {agent.error ? `: ${agent.error.message}` : ' …'}
          </span>
        </>
      )}
    </div>
  );
}
