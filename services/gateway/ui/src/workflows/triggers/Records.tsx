import { Button, Group, SegmentedControl, Skeleton, Text, Title } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { api, take } from '@/api/client';
import type { TriggerRecordRow, WorkflowDetail } from '@/api/types';
import { TRIGGER_OUTCOME } from '@/theme/status';
import { Instant } from '@/ui/Instant';
import { Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { StatusBadge } from '@/ui/StatusBadge';
import { workflowKey } from '../queries';
import classes from './Triggers.module.css';

const OUTCOMES = ['started', 'skipped', 'refused'] as const;

/** Each instant of a schedule and each event of an incident: what it started, or why nothing (R51). */
export function Records({ workflow }: { workflow: WorkflowDetail }) {
  const { workflowId } = workflow;
  const [params, setParams] = useSearchParams();
  const outcome = OUTCOMES.find((each) => each === params.get('outcome')) ?? null;
  const cursor = params.get('cursor');
  const query = { workflowId, limit: 25, ...(outcome ? { outcome } : {}), ...(cursor ? { cursor } : {}) };
  const list = useQuery({
    queryKey: [...workflowKey(workflowId), 'records', query],
    queryFn: ({ signal }) => take(api.GET('/api/v1/trigger-records', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
  const set = (change: { outcome?: string | null; cursor?: string | null }) =>
    setParams((before) => {
      const after = new URLSearchParams(before);
      after.delete('cursor');
      for (const [name, value] of Object.entries(change)) {
        if (value) after.set(name, value);
        else after.delete(name);
      }
      return after;
    });
  return (
    <Panel className={classes.section}>
      <div className={classes.head}>
        <Title order={2}>Trigger records</Title>
        <SegmentedControl
          size="xs"
          aria-label="Outcome"
          data={[
            { value: '', label: 'All' },
            ...OUTCOMES.map((each) => ({ value: each, label: TRIGGER_OUTCOME[each].label })),
          ]}
          value={outcome ?? ''}
          onChange={(next) => set({ outcome: next })}
        />
      </div>
      {list.isError ? (
        <ProblemAlert error={list.error} onRetry={() => list.refetch()} />
      ) : list.isPending ? (
        <Skeleton height={120} />
      ) : list.data.items.length === 0 ? (
        <Text size="sm" c="dimmed">
          {outcome
            ? 'None with this outcome.'
            : 'None yet. Each time a schedule comes and each event of an incident leaves one here, also if nothing was started.'}
        </Text>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways on a narrow screen
        <section className={classes.scrolls} tabIndex={0} aria-label="Trigger records">
          <table className={classes.records}>
            <thead>
              <tr>
                <th>When</th>
                <th>Outcome</th>
                <th>By</th>
                <th>What came of it</th>
              </tr>
            </thead>
            <tbody>
              {list.data.items.map((each) => (
                <tr key={each.recordId + each.trigger}>
                  <td>
                    <Instant at={each.scheduledAt ?? each.receivedAt} />
                  </td>
                  <td>
                    <StatusBadge look={TRIGGER_OUTCOME[each.outcome]} bare />
                  </td>
                  <td>{byWords(each)}</td>
                  <td className={classes.reason}>
                    {each.executionId ? (
                      <Link to={`/automation/executions/${each.executionId}`}>
                        an execution of version {each.version}
                      </Link>
                    ) : (
                      each.reason
                    )}
                    <Reads reads={each.reads} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      {(cursor || list.data?.nextCursor) && (
        <Group justify="flex-end" mt="sm" gap="xs">
          {cursor && (
            <Button variant="default" size="xs" onClick={() => set({ cursor: null })}>
              Newest
            </Button>
          )}
          {list.data?.nextCursor && (
            <Button variant="default" size="xs" onClick={() => set({ cursor: list.data.nextCursor })}>
              Older
            </Button>
          )}
        </Group>
      )}
    </Panel>
  );
}

function byWords(record: TriggerRecordRow): string {
  if (record.type === 'cron') return 'Schedule';
  return [record.event?.replace('incident.', 'Incident '), record.incidentId].filter(Boolean).join(', ');
}

/** The paths that the condition read, with their values. */
function Reads({ reads }: { reads: unknown }) {
  if (typeof reads !== 'object' || reads === null || Array.isArray(reads)) return null;
  return Object.entries(reads).map(([path, value]) => (
    <span key={path} className={classes.reads}>
      {path} = {JSON.stringify(value)}
    </span>
  ));
}
