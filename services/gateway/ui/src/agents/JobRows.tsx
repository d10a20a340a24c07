/** Jobs of several executions, one a line: each leads to itself. */
import { Text } from '@mantine/core';
import { Link } from 'react-router';
import type { JobOfExecution } from '@/api/types';
import { JOB } from '@/theme/status';
import { Distance } from '@/ui/Instant';
import { StatusBadge } from '@/ui/StatusBadge';
import classes from './JobRows.module.css';

/** `total`: of how many these are the first. `since`: since when it is as it is. */
export function JobRows<Job extends JobOfExecution>({
  jobs,
  total,
  since,
  agent = false,
}: {
  jobs: readonly Job[];
  total: number;
  since: (job: Job) => string;
  /** Whether to say which agent has it. */
  agent?: boolean;
}) {
  return (
    <>
      <ul className={classes.jobs}>
        {jobs.map((job) => (
          <li key={job.jobId}>
            <span className={classes.names}>
              <Link to={`/automation/executions/${job.executionId}?job=${job.jobId}`}>
                {job.nodeName}
                {job.item !== null && ` ${job.item}`}
              </Link>
              <span className={classes.soft}>
                {job.workflowName}
                {agent && job.agent !== null && `, on ${job.agent}`}
              </span>
            </span>
            <StatusBadge look={JOB[job.status]} bare />
            <span className={`${classes.soft} numbers`}>
              <Distance at={since(job)} />
            </span>
          </li>
        ))}
      </ul>
      {total > jobs.length && (
        <Text size="sm" c="dimmed">
          {/* the list of jobs may not have heard yet of one that was just sent */}
          {jobs.length > 0
            ? `And ${(total - jobs.length).toLocaleString()} more.`
            : `${total.toLocaleString()}, just now.`}
        </Text>
      )}
    </>
  );
}

/** Since when an agent has it. */
export function heldSince(job: JobOfExecution): string {
  return job.startedAt ?? job.dispatchedAt ?? job.queuedAt;
}
