/** The jobs that an agent has now, and the way to those that it had. */
import { Text } from '@mantine/core';
import { Link } from 'react-router';
import { jobsOf } from '@/analytics/jobsAsked';
import type { AgentRow } from '@/api/types';
import { ProblemAlert } from '@/ui/ProblemAlert';
import drawer from './AgentDrawer.module.css';
import classes from './AgentJobs.module.css';
import { heldSince, JobRows } from './JobRows';
import { useHeldJobs } from './queries';

export function AgentJobs({ agent }: { agent: AgentRow }) {
  const held = useHeldJobs(agent.agentId, agent.running);
  const { items = [], total = 0 } = held.data ?? {};
  return (
    <section>
      <div className={classes.head}>
        <h3 className={drawer.heading}>Jobs it has now</h3>
        <Link to={jobsOf({ agent: agent.name })} className={classes.had}>
          Jobs it had
        </Link>
      </div>
      {held.isError && held.data === undefined && <ProblemAlert error={held.error} onRetry={() => held.refetch()} />}
      {held.data !== undefined && total === 0 && (
        <Text size="sm" c="dimmed">
          None.
        </Text>
      )}
      <JobRows jobs={items} total={total} since={heldSince} />
    </section>
  );
}
