/** Agents and pools (R53–R56): who can run jobs, and where they wait. */
import { Button, Group, Select, Skeleton, Stack, TextInput } from '@mantine/core';
import { IconFilterOff, IconPlus, IconSearch, IconServer2, IconX } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { useSearchParams } from 'react-router';
import { useMay } from '@/api/session';
import type { AgentRow } from '@/api/types';
import { AGENT } from '@/theme/status';
import { EmptyState } from '@/ui/EmptyState';
import { LinkTabs } from '@/ui/LinkTabs';
import { Page, Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { ReasonedButton } from '@/ui/ReasonedButton';
import { StatusChips } from '@/ui/StatusChips';
import { useShortcuts } from '@/ui/shortcuts';
import { useTyped } from '@/ui/useTyped';
import { AgentDrawer } from './AgentDrawer';
import { type AgentKey, AgentKeyDialog } from './AgentKeyDialog';
import classes from './AgentsPage.module.css';
import { AgentTable } from './AgentTable';
import { type AgentFilter, matching, readFilter, STATUSES, shown, writeFilter } from './agents';
import { NewAgentDialog } from './NewAgentDialog';
import { NewPoolDialog } from './NewPoolDialog';
import { PoolDrawer } from './PoolDrawer';
import { PoolTable } from './PoolTable';
import { useAgents, usePools } from './queries';

export function AgentsPage() {
  const [params, setParams] = useSearchParams();
  const inPools = params.get('tab') === 'pools';
  const agents = useAgents();
  const pools = usePools();
  const mayAdmin = useMay('automation:admin');
  const mayManage = useMay('automation:manage');
  // `?new=agent` opens it, so that others can link to it
  const making = params.get('new');
  const [made, setMade] = useState<AgentKey | null>(null);
  const set = (name: 'new' | 'agent' | 'in' | 'inside', value: string | null) =>
    setParams((before) => {
      const next = new URLSearchParams(before);
      if (value === null) next.delete(name);
      else next.set(name, value);
      if (name === 'new' && value === null) next.delete('in');
      return next;
    });
  const newAgent = (pool?: string) =>
    setParams((before) => {
      const next = new URLSearchParams(before);
      next.set('new', 'agent');
      if (pool) next.set('in', pool);
      return next;
    });
  const chosen = params.get('agent');
  const agent =
    chosen === null || agents.data === undefined ? null : agents.data.find((each) => each.agentId === chosen);
  const inside = inPools ? params.get('inside') : null;
  const pool = inside === null || pools.data === undefined ? null : pools.data.find((each) => each.name === inside);
  return (
    <Page
      title={inPools ? 'Pools' : 'Agents'}
      actions={
        inPools ? (
          <ReasonedButton
            leftSection={<IconPlus size={16} aria-hidden />}
            reason={mayManage ? null : 'This needs the permission automation:manage'}
            onClick={() => set('new', 'pool')}
          >
            New pool
          </ReasonedButton>
        ) : (
          <ReasonedButton
            leftSection={<IconPlus size={16} aria-hidden />}
            reason={mayAdmin ? null : 'This needs the permission automation:admin'}
            onClick={() => newAgent()}
          >
            New agent
          </ReasonedButton>
        )
      }
    >
      <LinkTabs
        label="Agents and pools"
        tabs={[
          {
            to: '/automation/agents',
            label: 'Agents',
            current: !inPools,
            count: agents.data?.filter((each) => each.status !== 'revoked').length,
          },
          { to: '/automation/agents?tab=pools', label: 'Pools', current: inPools, count: pools.data?.length },
        ]}
      />
      {inPools ? (
        <Panel>
          {pools.data === undefined || agents.data === undefined ? (
            pools.error || agents.error ? (
              <ProblemAlert error={pools.error ?? agents.error} onRetry={() => void pools.refetch()} />
            ) : (
              <Loading what="the pools" />
            )
          ) : (
            <PoolTable pools={pools.data} agents={agents.data} onNewAgent={mayAdmin ? newAgent : null} />
          )}
        </Panel>
      ) : agents.data === undefined ? (
        <Panel>
          {agents.error ? (
            <ProblemAlert error={agents.error} onRetry={() => void agents.refetch()} />
          ) : (
            <Loading what="the agents" />
          )}
        </Panel>
      ) : (
        <Agents agents={agents.data} onNew={mayAdmin ? () => newAgent() : null} />
      )}
      {(agents.error ?? pools.error) !== null && agents.data !== undefined && (
        <ProblemAlert error={agents.error ?? pools.error} title="What is shown is getting old" />
      )}
      <AgentDrawer agent={agent} onClose={() => set('agent', null)} onKey={setMade} />
      <PoolDrawer pool={pool} agents={agents.data ?? []} onClose={() => set('inside', null)} />
      <NewAgentDialog
        opened={making === 'agent' && mayAdmin}
        pool={params.get('in') ?? undefined}
        onClose={() => set('new', null)}
        onMade={(key) => {
          setMade(key);
          set('new', null);
        }}
      />
      <NewPoolDialog opened={making === 'pool' && mayManage} onClose={() => set('new', null)} />
      <AgentKeyDialog made={made} onClose={() => setMade(null)} />
    </Page>
  );
}

function Agents({ agents, onNew }: { agents: readonly AgentRow[]; onNew: (() => void) | null }) {
  const [params, setParams] = useSearchParams();
  const filter = readFilter(params);
  const rows = shown(agents, filter);
  const search = useRef<HTMLInputElement>(null);
  useShortcuts([{ key: '/', does: 'Search', run: () => search.current?.focus() }]);
  const setFilter = (change: Partial<AgentFilter>, replace = false) =>
    setParams((before) => writeFilter({ ...readFilter(before), ...change }, before), { replace });
  const typed = useTyped(filter.q, (q) => setFilter({ q }, true), 100);
  const filtered = filter.q !== '' || filter.pool !== null || filter.statuses.length > 0;
  const counted = matching(agents, filter);
  if (agents.length === 0) {
    return (
      <Panel>
        <EmptyState icon={IconServer2} title="No agent yet">
          Agents run the jobs of workflows where your hosts are. They connect to this server by themselves; no port has
          to be open on their side.
          {onNew ? (
            <div>
              <Button mt="md" onClick={onNew}>
                Create the first agent
              </Button>
            </div>
          ) : (
            ' Ask an administrator to create one.'
          )}
        </EmptyState>
      </Panel>
    );
  }
  return (
    <>
      <search className={classes.bar}>
        <TextInput
          ref={search}
          className={classes.search}
          aria-label="Name, tag, version or action"
          placeholder="Name, tag, version or action"
          leftSection={<IconSearch size={15} aria-hidden />}
          value={typed.text}
          onChange={(event) => typed.type(event.currentTarget.value)}
          onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.blur()}
        />
        <Select
          className={classes.pool}
          aria-label="Pool"
          placeholder="Any pool"
          clearable
          searchable
          data={[...new Set([...agents.map((each) => each.pool), ...(filter.pool ? [filter.pool] : [])])].sort()}
          value={filter.pool}
          onChange={(pool) => setFilter({ pool })}
        />
        <StatusChips
          statuses={STATUSES}
          looks={AGENT}
          chosen={filter.statuses}
          onChange={(statuses) => setFilter({ statuses })}
          count={(status) => counted.filter((each) => each.status === status).length}
        />
        {filtered && (
          <Button
            variant="subtle"
            color="gray"
            size="compact-sm"
            leftSection={<IconX size={14} aria-hidden />}
            onClick={() => setFilter({ q: '', pool: null, statuses: [] })}
          >
            Clear
          </Button>
        )}
      </search>
      <Panel>
        {rows.length === 0 ? (
          <EmptyState icon={IconFilterOff} title="No agent matches">
            Widen the filter, or{' '}
            <Button
              variant="subtle"
              size="compact-sm"
              onClick={() => setFilter({ q: '', pool: null, statuses: [...STATUSES] })}
            >
              show all agents
            </Button>
          </EmptyState>
        ) : (
          <AgentTable agents={rows} />
        )}
      </Panel>
    </>
  );
}

function Loading({ what }: { what: string }) {
  return (
    <Stack gap={12} p={14} aria-label={`Loading ${what}`} role="status">
      <Group grow>
        <Skeleton height={24} />
      </Group>
      <Skeleton height={24} />
      <Skeleton height={24} />
    </Stack>
  );
}
