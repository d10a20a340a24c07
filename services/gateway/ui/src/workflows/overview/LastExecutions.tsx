import { Skeleton, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { api, take } from '@/api/client';
import type { WorkflowDetail } from '@/api/types';
import { TriggerText } from '@/executions/TriggerText';
import { EXECUTION, isActive } from '@/theme/status';
import { Duration, Instant } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { StatusBadge } from '@/ui/StatusBadge';
import { whyNotRun } from '../state';
import classes from './Overview.module.css';

const SHOWN = 8;
const EVERY_MS = 5000;

/** Read again while one of them is active, and never otherwise (R5). */
export function LastExecutions({ workflow }: { workflow: WorkflowDetail }) {
  const { workflowId } = workflow;
  const list = useQuery({
    queryKey: ['executions', 'of', workflowId],
    queryFn: ({ signal }) =>
      take(api.GET('/api/v1/executions', { params: { query: { workflowId, limit: SHOWN } }, signal })),
    refetchInterval: ({ state }) => (state.data?.items.some((each) => isActive(each.status)) ? EVERY_MS : false),
  });
  if (list.isError) return <ProblemAlert error={list.error} onRetry={() => list.refetch()} />;
  if (list.isPending) return <Skeleton height={28 * SHOWN} />;
  if (list.data.items.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        None yet. {whyNotRun(workflow) ?? 'It waits for its triggers, or for somebody to run it.'}
      </Text>
    );
  }
  return (
    <table className={classes.executions}>
      <thead className="visually-hidden">
        <tr>
          <th>Status</th>
          <th>Started</th>
          <th>Trigger</th>
          <th>Duration</th>
        </tr>
      </thead>
      <tbody>
        {list.data.items.map((row) => (
          <tr key={row.executionId}>
            <td>
              <StatusBadge look={EXECUTION[row.status]} bare />
            </td>
            <td>
              <Link to={`/automation/executions/${row.executionId}`}>
                <Instant at={row.startedAt} />
              </Link>
            </td>
            <td className={classes.trigger}>
              <TriggerText trigger={row.trigger} short />
            </td>
            <td>
              <Duration startedAt={row.startedAt} finishedAt={row.finishedAt} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
