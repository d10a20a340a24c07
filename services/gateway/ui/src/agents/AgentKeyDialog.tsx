/** The key of an agent, shown this once, what to do with it, and whether it has come. */
import { Loader, Text } from '@mantine/core';
import { IconCircleCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { api, take } from '@/api/client';
import { Copied, ShownOnceDialog } from '@/ui/ShownOnce';
import classes from './AgentKeyDialog.module.css';

export interface AgentKey {
  agentId: string;
  name: string;
  key: string;
  command: string;
}

export function AgentKeyDialog({ made, onClose }: { made: AgentKey | null; onClose: () => void }) {
  return (
    <ShownOnceDialog
      title={made && `The key of ${made.name}`}
      lost="Whoever lost it makes a new one with “New key”."
      onClose={onClose}
    >
      {made && (
        <>
          <Copied label="Key" text={made.key} />
          <div>
            <Text size="sm" fw={600}>
              Start it where its jobs are to run
            </Text>
            <Text size="sm" c="dimmed">
              The machine needs Python 3.11 and the package <code>runyard-agent</code>, and reaches this server; nothing
              has to reach the machine. <code>runyard-agent check</code> with the same options says what is missing.
            </Text>
          </div>
          <Copied label="Command" text={made.command} />
          <Coming agentId={made.agentId} name={made.name} />
        </>
      )}
    </ShownOnceDialog>
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
