/** What goes on in a pool: what waits for its agents and why, and what they have now. */
import { Drawer, Skeleton, Stack, Text } from '@mantine/core';
import { Link } from 'react-router';
import type { AgentRow, PoolJobs, PoolRow } from '@/api/types';
import { POOL } from '@/theme/status';
import { Distance } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { StatusBadge } from '@/ui/StatusBadge';
import { sentence } from '@/ui/sentence';
import drawer from './AgentDrawer.module.css';
import { heldSince, JobRows } from './JobRows';
import classes from './PoolDrawer.module.css';
import { counted, poolWords } from './pools';
import { usePoolJobs } from './queries';

export function PoolDrawer({
  pool,
  agents,
  onClose,
}: {
  /** null: closed; undefined: there is none of this name. */
  pool: PoolRow | null | undefined;
  agents: readonly AgentRow[];
  onClose: () => void;
}) {
  return (
    <Drawer
      opened={pool !== null}
      onClose={onClose}
      position="right"
      size="lg"
      title={pool ? <span className={drawer.title}>Pool {pool.name}</span> : 'Pool'}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {pool === undefined && <Text>There is no pool of this name. It may have been deleted.</Text>}
      {pool && <Detail key={pool.name} pool={pool} agents={agents} />}
    </Drawer>
  );
}

function Detail({ pool, agents }: { pool: PoolRow; agents: readonly AgentRow[] }) {
  const jobs = usePoolJobs(pool);
  const words = poolWords(pool, agents);
  return (
    <Stack gap="lg">
      <div>
        {pool.description && <Text size="sm">{pool.description}</Text>}
        <StatusBadge look={POOL[words.state]} />
        <Text size="sm" mt={4}>
          {words.detail}
        </Text>
        <Link to={`/automation/agents?pool=${encodeURIComponent(pool.name)}`} className={classes.agents}>
          {counted(pool.agents, 'agent')}, {pool.online.toLocaleString()} online
        </Link>
      </div>
      {jobs.data !== undefined ? (
        <>
          <WaitingSection waiting={jobs.data.waiting} />
          <section>
            <h3 className={drawer.heading}>Jobs its agents have now</h3>
            {jobs.data.held.total === 0 && <None />}
            <JobRows jobs={jobs.data.held.items} total={jobs.data.held.total} since={heldSince} agent />
          </section>
        </>
      ) : jobs.isError ? (
        <ProblemAlert error={jobs.error} onRetry={() => jobs.refetch()} />
      ) : (
        <Skeleton height={80} role="status" aria-label="Loading the jobs" />
      )}
    </Stack>
  );
}

/** By reason: what one cause keeps waiting is mended at once. */
function WaitingSection({ waiting }: { waiting: PoolJobs['waiting'] }) {
  return (
    <section>
      <h3 className={drawer.heading}>Jobs that wait</h3>
      {waiting.total === 0 && <None />}
      {waiting.reasons.map(({ reason, jobs, since }) => (
        <div key={reason} className={classes.reason}>
          <p className={classes.why}>
            <b>{sentence(reason)}</b>
            <span className={classes.soft}>
              {counted(jobs, 'job')}, the first <Distance at={since} />
            </span>
          </p>
          <JobRows
            jobs={waiting.items.filter((each) => each.reason === reason)}
            total={jobs}
            since={(job) => job.waitingSince}
          />
        </div>
      ))}
    </section>
  );
}

function None() {
  return (
    <Text size="sm" c="dimmed">
      None.
    </Text>
  );
}
