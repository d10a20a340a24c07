/** All of one agent: how it is, what it can do, what can be done to it. */
import { Badge, Button, Drawer, Group, Select, Stack, TagsInput, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { Link } from 'react-router';
import { api, take } from '@/api/client';
import { namesIn } from '@/api/names';
import { problemOf } from '@/api/problem';
import { useMay } from '@/api/session';
import type { AgentRow } from '@/api/types';
import { AGENT } from '@/theme/status';
import { CopyButton } from '@/ui/CopyButton';
import { Distance, Instant } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { ReasonedButton } from '@/ui/ReasonedButton';
import { StatusBadge } from '@/ui/StatusBadge';
import { said } from '@/ui/toast';
import classes from './AgentDrawer.module.css';
import { AgentJobs } from './AgentJobs';
import type { AgentKey } from './AgentKeyDialog';
import { healthTone } from './agents';
import { Load } from './Load';
import { poolPage } from './pools';
import { reread, usePools } from './queries';
import { useAgentCommands } from './useAgentCommands';

export function AgentDrawer({
  agent,
  onClose,
  onKey,
}: {
  /** undefined: there is none of this id. */
  agent: AgentRow | null | undefined;
  onClose: () => void;
  onKey: (key: AgentKey) => void;
}) {
  return (
    <Drawer
      opened={agent !== null}
      onClose={onClose}
      position="right"
      size="lg"
      title={agent ? <span className={classes.title}>{agent.name}</span> : 'Agent'}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {agent === undefined && <Text>There is no agent of this address. It may belong to another tenant.</Text>}
      {agent && <Detail key={agent.agentId} agent={agent} onKey={onKey} />}
    </Drawer>
  );
}

function Detail({ agent, onKey }: { agent: AgentRow; onKey: (key: AgentKey) => void }) {
  const online = agent.status === 'online' || agent.status === 'draining';
  return (
    <Stack gap="lg">
      <div>
        <StatusBadge look={AGENT[agent.status]} />
        {agent.reason && (
          <Text size="sm" mt={4}>
            {agent.reason}
          </Text>
        )}
        {agent.drained && agent.status !== 'revoked' && (
          <Text size="sm" mt={4}>
            It finishes what it has and gets nothing new until it is resumed.
          </Text>
        )}
        {agent.status === 'new' && (
          <Text size="sm" mt={4}>
            It has never come. Start it with its key; if that was lost, make a new one.
          </Text>
        )}
      </div>
      <Commands agent={agent} onKey={onKey} />
      <dl className={classes.facts}>
        <Fact name="Jobs">
          <Load running={agent.running} capacity={agent.capacity} />
        </Fact>
        <Fact name="Health">
          {online ? (
            <>
              <b className="numbers" style={{ color: `var(--ry-${healthTone(agent.health)})` }}>
                {agent.health}
              </b>{' '}
              of 100: how fresh its heartbeats are, and how often it was lost lately
            </>
          ) : (
            '–'
          )}
        </Fact>
        <Fact name="Last heartbeat">
          {agent.lastHeartbeatAt === null ? 'never' : <Distance at={agent.lastHeartbeatAt} />}
        </Fact>
        <Fact name="Online since">
          <Instant at={online ? agent.registeredAt : null} />
        </Fact>
        <Fact name="Version">{agent.version || '–'}</Fact>
        <Fact name="Transport">{agent.transport ?? '–'}</Fact>
        <Fact name="Key fingerprint">
          {agent.keyFingerprint === null ? (
            'not enrolled yet'
          ) : (
            <Group gap={4} wrap="nowrap">
              <code>{agent.keyFingerprint}</code>
              <CopyButton value={agent.keyFingerprint} what="the fingerprint" />
            </Group>
          )}
        </Fact>
        <Fact name="Made">
          <Instant at={agent.createdAt} />
        </Fact>
        <Fact name="Id">
          <Group gap={4} wrap="nowrap">
            <code className={classes.id}>{agent.agentId}</code>
            <CopyButton value={agent.agentId} what="the id" />
          </Group>
        </Fact>
      </dl>
      <AgentJobs agent={agent} />
      <Place agent={agent} />
      <section>
        <h3 className={classes.heading}>Actions it offers</h3>
        {agent.actions.length === 0 ? (
          <Text size="sm" c="dimmed">
            It says so when it comes online.
          </Text>
        ) : (
          <Group gap={6}>
            {agent.actions.map((each) => (
              <Badge key={each} variant="default" tt="none" fw={500} ff="monospace">
                {each}
              </Badge>
            ))}
          </Group>
        )}
      </section>
    </Stack>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className={classes.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Commands({ agent, onKey }: { agent: AgentRow; onKey: (key: AgentKey) => void }) {
  const { busy, drain, resume, rotate, revoke } = useAgentCommands(agent, onKey);
  const manage = useMay('automation:manage') ? null : 'This needs the permission automation:manage';
  const admin = useMay('automation:admin') ? null : 'This needs the permission automation:admin';
  if (agent.status === 'revoked') {
    return (
      <Text size="sm" c="dimmed">
        To use this name again, create the agent anew.
      </Text>
    );
  }
  const button = { size: 'compact-sm', variant: 'default' } as const;
  return (
    <Group gap={8}>
      {agent.drained ? (
        <ReasonedButton {...button} reason={manage} loading={busy === 'resume'} onClick={resume}>
          Resume
        </ReasonedButton>
      ) : (
        <ReasonedButton {...button} reason={manage} loading={busy === 'drain'} onClick={drain}>
          Drain
        </ReasonedButton>
      )}
      <ReasonedButton {...button} reason={admin} loading={busy === 'rotate'} onClick={rotate}>
        New key …
      </ReasonedButton>
      <ReasonedButton {...button} c="var(--ry-red)" reason={admin} loading={busy === 'revoke'} onClick={revoke}>
        Revoke …
      </ReasonedButton>
    </Group>
  );
}

/** Its pool and the tags it was given; those that it brings along itself cannot be taken from it here. */
function Place({ agent }: { agent: AgentRow }) {
  const client = useQueryClient();
  const admin = useMay('automation:admin');
  const pools = usePools(false);
  const [draft, setDraft] = useState<{ pool: string; tags: string[] } | null>(null);
  const save = useMutation({
    mutationFn: (body: { pool: string; tags: string[] }) =>
      take(api.PATCH('/api/v1/agents/{agentId}', { params: { path: { agentId: agent.agentId } }, body })),
    onSuccess: async () => {
      await reread(client);
      setDraft(null);
      said(`${agent.name} is changed`);
    },
  });
  return (
    <section>
      <Group justify="space-between" mb={4}>
        <h3 className={classes.heading}>Pool and tags</h3>
        {admin && draft === null && agent.status !== 'revoked' && (
          <Button
            size="compact-sm"
            variant="subtle"
            onClick={() => {
              save.reset();
              setDraft({ pool: agent.pool, tags: agent.tags });
            }}
          >
            Change
          </Button>
        )}
      </Group>
      {draft === null ? (
        <Group gap={6}>
          <Link to={poolPage(agent.pool)} className={classes.pool}>
            {agent.pool}
          </Link>
          {agent.tags.map((tag) => (
            <Badge key={tag} variant="default" size="sm" tt="none" fw={500}>
              {tag}
            </Badge>
          ))}
        </Group>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (!save.isPending) save.mutate(draft);
          }}
        >
          <Stack gap="sm">
            <Select
              label="Pool"
              data={[...new Set([agent.pool, ...(pools.data ?? []).map((each) => each.name)])]}
              value={draft.pool}
              onChange={(pool) => setDraft({ ...draft, pool: pool ?? draft.pool })}
              allowDeselect={false}
            />
            <TagsInput
              label="Tags"
              value={draft.tags}
              description="Those that the agent brings along itself stay, also without being here"
              onChange={(tags) => setDraft({ ...draft, tags: namesIn(tags) })}
              splitChars={[',', ' ']}
            />
            {save.error && <ProblemAlert error={problemOf(save.error)} />}
            <Group justify="flex-end">
              <Button variant="default" size="compact-md" onClick={() => setDraft(null)}>
                Leave it
              </Button>
              <Button type="submit" size="compact-md" loading={save.isPending}>
                Save
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </section>
  );
}
