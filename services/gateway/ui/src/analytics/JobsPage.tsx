/** The ended jobs of an agent, of the executions that started in a range: those that its figures count, one by one (R60). */
import { Button, Group, Skeleton, Text } from '@mantine/core';
import { IconListDetails } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { api, take } from '@/api/client';
import type { JobOfExecution, JobStatus } from '@/api/types';
import { JOB } from '@/theme/status';
import { EmptyState } from '@/ui/EmptyState';
import { Instant } from '@/ui/Instant';
import { Page, Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import rowTable from '@/ui/RowTable.module.css';
import { StatusBadge } from '@/ui/StatusBadge';
import { StatusChips } from '@/ui/StatusChips';
import { fullInstantText, instantText } from '@/ui/time';
import classes from './JobsPage.module.css';
import { ENDED_JOBS, type JobsAsked, readJobsAsked } from './jobsAsked';
import { durationOr } from './words';

const PAGE = 100;

export function JobsPage() {
  const [params, setParams] = useSearchParams();
  const asked = readJobsAsked(params);
  const jobs = useJobs(asked);
  const first = jobs.data?.pages[0];
  const rows = jobs.data?.pages.flatMap((page) => page.items) ?? [];
  const title = asked.agent === '' ? 'Jobs that never reached an agent' : `Jobs of agent ${asked.agent}`;
  const filter = (statuses: JobStatus[]) =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        after.delete('status');
        for (const each of statuses) after.append('status', each);
        return after;
      },
      { replace: true },
    );
  return (
    <Page title={title}>
      <Group justify="space-between" mb="sm" gap="xs">
        <Text size="sm" c="dimmed">
          {first ? (
            <>
              Ended, of executions that started from{' '}
              <time dateTime={first.from} title={fullInstantText(first.from)}>
                {instantText(first.from)}
              </time>{' '}
              until{' '}
              <time dateTime={first.to} title={fullInstantText(first.to)}>
                {instantText(first.to)}
              </time>
              {asked.workflowId !== null && ', of one workflow'}
            </>
          ) : (
            ' '
          )}
        </Text>
        <StatusChips statuses={ENDED_JOBS} looks={JOB} chosen={asked.statuses} onChange={filter} count={() => ''} />
      </Group>
      <Panel>
        {jobs.isPending ? (
          <Skeleton height={220} />
        ) : jobs.isError && rows.length === 0 ? (
          <ProblemAlert error={jobs.error} onRetry={() => jobs.refetch()} />
        ) : rows.length === 0 ? (
          <EmptyState icon={IconListDetails} title="No such job">
            {asked.statuses.length > 0 ? (
              <Button variant="subtle" size="compact-sm" onClick={() => filter([])}>
                Show those of any status
              </Button>
            ) : (
              'It had none in this range that is still kept. Figures are kept for longer than what they count.'
            )}
          </EmptyState>
        ) : (
          <Jobs rows={rows} />
        )}
      </Panel>
      {jobs.isFetchNextPageError && <ProblemAlert error={jobs.error} onRetry={() => jobs.fetchNextPage()} />}
      {jobs.hasNextPage && (
        <Group justify="center" mt="md">
          <Button variant="default" loading={jobs.isFetchingNextPage} onClick={() => jobs.fetchNextPage()}>
            Older jobs
          </Button>
        </Group>
      )}
    </Page>
  );
}

function useJobs({ agent, from, to, workflowId, statuses }: JobsAsked) {
  return useInfiniteQuery({
    queryKey: ['analytics', 'jobs', agent, from, to, workflowId, statuses],
    initialPageParam: null as string | null,
    // a range without an end ends where the first page said
    queryFn: ({ signal, pageParam }) =>
      take(
        api.GET('/api/v1/analytics/jobs', {
          params: {
            query: {
              agent,
              limit: PAGE,
              status: statuses,
              ...(from === null ? {} : { from }),
              ...(to === null ? {} : { to }),
              ...(workflowId === null ? {} : { workflowId }),
              ...(pageParam === null ? {} : { cursor: pageParam }),
            },
          },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.nextCursor,
  });
}

function Jobs({ rows }: { rows: readonly JobOfExecution[] }) {
  return (
    <table className={`${rowTable.table} ${classes.jobs}`}>
      <thead>
        <tr>
          <th>Job</th>
          <th className={classes.status}>Status</th>
          <th className={classes.action}>Action</th>
          <th className={classes.started}>Started</th>
          <th className={classes.number}>Duration</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((job) => (
          <tr key={job.jobId} className={rowTable.row}>
            <td>
              <Link to={`/automation/executions/${job.executionId}?job=${job.jobId}`} className={rowTable.link}>
                {job.nodeName}
              </Link>
              {job.item !== null && <code className={classes.item}>{job.item}</code>}
              {job.attempt > 1 && <span className={classes.item}>attempt {job.attempt}</span>}
              <span className={rowTable.soft}>
                {job.workflowName}
                {job.error !== null && ` · ${job.error.message}`}
              </span>
            </td>
            <td className={classes.status}>
              <StatusBadge look={JOB[job.status]} bare />
            </td>
            <td className={classes.action}>
              <code>{job.actionType}</code>
            </td>
            <td className={classes.started}>
              <Instant at={job.startedAt} empty="never" />
            </td>
            <td className={`${classes.number} numbers`}>{durationOr(job.durationMs)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
