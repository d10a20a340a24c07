import { Button, Collapse, Group, Skeleton, Text, TextInput, Title } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { Link } from 'react-router';
import { api, take } from '@/api/client';
import type { ScheduleRow, WorkflowDetail } from '@/api/types';
import { Distance, Instant } from '@/ui/Instant';
import { Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { sentence } from '@/ui/sentence';
import { workflowKey } from '../queries';
import { cronWords } from './cronWords';
import { localWords, SchedulePreview } from './SchedulePreview';
import classes from './Triggers.module.css';

const OVERLAP: Record<string, string> = {
  allow: 'Comes also while the last one runs',
  skip: 'Left out while the last one runs',
  cancelPrevious: 'Cancels the last one if it still runs',
};
const CATCH_UP: Record<string, string> = {
  none: 'After an outage: nothing that was missed',
  latest: 'After an outage: the latest that was missed',
  all: 'After an outage: all that was missed',
};

export function Schedules({ workflow }: { workflow: WorkflowDetail }) {
  const { workflowId } = workflow;
  const list = useQuery({
    queryKey: [...workflowKey(workflowId), 'schedules'],
    queryFn: ({ signal }) =>
      take(api.GET('/api/v1/schedules', { params: { query: { workflowId, limit: 200 } }, signal })),
  });
  const [trying, setTrying] = useState(false);
  return (
    <Panel className={classes.section}>
      <div className={classes.head}>
        <Title order={2}>Schedules</Title>
        <Button variant="subtle" size="compact-sm" aria-expanded={trying} onClick={() => setTrying(!trying)}>
          Try a schedule
        </Button>
      </div>
      {trying && <Trial />}
      {list.isError ? (
        <ProblemAlert error={list.error} onRetry={() => list.refetch()} />
      ) : list.isPending ? (
        <Skeleton height={48} />
      ) : list.data.items.length === 0 ? (
        <Text size="sm" c="dimmed">
          None in the version that runs. A trigger of the type <code>schedule</code> starts it by the clock.
        </Text>
      ) : (
        list.data.items.map((each) => <Schedule key={each.trigger} schedule={each} />)
      )}
    </Panel>
  );
}

function Schedule({ schedule }: { schedule: ScheduleRow }) {
  const [opened, setOpened] = useState(false);
  const id = useId();
  const words = cronWords(schedule.cron);
  return (
    <div className={classes.item}>
      <div className={classes.what}>
        <span className={classes.title}>
          {words && `${sentence(words)} `}
          <code>{schedule.cron}</code> <span className={classes.soft}>{schedule.timezone}</span>
        </span>
        <div className={classes.facts}>
          <span>{OVERLAP[schedule.overlap] ?? schedule.overlap}</span>
          <span>{CATCH_UP[schedule.catchUp] ?? schedule.catchUp}</span>
        </div>
        <div className={classes.facts}>
          <span>
            Next:{' '}
            {schedule.next ? (
              <>
                {localWords(schedule.next.local)} (<Distance at={schedule.next.at} />)
                {schedule.next.remark && <span className={classes.remark}> {schedule.next.remark}</span>}
              </>
            ) : (
              'not while the workflow is inactive'
            )}
          </span>
          <span>
            Last:{' '}
            {schedule.lastExecutionId ? (
              <Link to={`/automation/executions/${schedule.lastExecutionId}`}>
                <Instant at={schedule.lastScheduledAt} />
              </Link>
            ) : (
              'never'
            )}
          </span>
        </div>
      </div>
      <Button
        variant="default"
        size="compact-sm"
        aria-expanded={opened}
        aria-controls={id}
        onClick={() => setOpened(!opened)}
      >
        Next 10
      </Button>
      <Collapse id={id} expanded={opened} className={classes.full}>
        {opened && <SchedulePreview cron={schedule.cron} timezone={schedule.timezone} />}
      </Collapse>
    </div>
  );
}

/** Before it is written into a document. */
function Trial() {
  const [cron, setCron] = useState('0 6 * * 1-5');
  const [timezone, setTimezone] = useState(() => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC');
  const [asked] = useDebouncedValue({ cron: cron.trim(), timezone: timezone.trim() }, 300);
  return (
    <div>
      <Group align="flex-end" mb="sm">
        <TextInput
          label="Schedule"
          description="Minute, hour, day, month, day of the week"
          value={cron}
          onChange={({ currentTarget }) => setCron(currentTarget.value)}
          spellCheck={false}
        />
        <TextInput
          label="Time zone"
          description="As in Europe/Berlin"
          value={timezone}
          onChange={({ currentTarget }) => setTimezone(currentTarget.value)}
          spellCheck={false}
        />
      </Group>
      {asked.cron && asked.timezone && <SchedulePreview cron={asked.cron} timezone={asked.timezone} />}
    </div>
  );
}
