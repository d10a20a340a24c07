/** All jobs in the order in which they were queued: as a table with a Gantt chart, or with all their times (R13). */
import { Button, CloseButton, SegmentedControl, TextInput } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconListDetails, IconSearch, IconSearchOff } from '@tabler/icons-react';
import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router';
import type { JobStatus } from '@/api/types';
import { JOB } from '@/theme/status';
import { EmptyState } from '@/ui/EmptyState';
import { useChangeParams } from '@/ui/params';
import { useTyped } from '@/ui/useTyped';
import { useActive, useExecution, useJobs } from '../store';
import { attemptsOf } from './attempts';
import { countByStatus, filterOf, isFiltered, type JobFilter, matching } from './filter';
import { JobCards } from './JobCards';
import { JobTable } from './JobTable';
import classes from './JobTimeline.module.css';

const STATUSES = Object.keys(JOB) as JobStatus[];
const NUMBER = new Intl.NumberFormat();

export function JobTimeline() {
  const { list, complete, vague } = useJobs();
  const { waiting } = useExecution();
  const active = useActive();
  const [params] = useSearchParams();
  const narrow = useMediaQuery('(max-width: 48em)', undefined, { getInitialValueInEffect: false });
  const filter = useMemo(() => filterOf(params), [params]);
  const shown = useMemo(() => matching(list, filter), [list, filter]);
  const rows = useMemo(() => attemptsOf(shown, vague, waiting), [shown, vague, waiting]);
  const retries = useMemo(() => list.filter((job) => job.attempt > 1).length, [list]);
  const view = params.get('jobs') === 'times' ? 'times' : 'chart';

  const changeParams = useChangeParams();
  const change: Change = useCallback((make) => changeParams(make, { replace: true }), [changeParams]);
  const open = useCallback((jobId: string) => changeParams((after) => after.set('job', jobId)), [changeParams]);

  return (
    <div className={classes.timeline}>
      <div className={classes.bar}>
        <StatusFilter chosen={filter.statuses} change={change} />
        <TextFilter text={filter.text} change={change} />
        <Chosen filter={filter} change={change} />
        <span className={classes.count} role="status">
          {isFiltered(filter)
            ? `${NUMBER.format(shown.length)} of ${NUMBER.format(list.length)}`
            : NUMBER.format(list.length)}
          {list.length === 1 ? ' job' : ' jobs'}
          {retries > 0 && `, ${retries === 1 ? '1 retry' : `${NUMBER.format(retries)} retries`}`}
          {!complete && ', reading the others …'}
        </span>
        {!narrow && (
          <SegmentedControl
            size="xs"
            value={view}
            onChange={(next) => change((after) => (next === 'times' ? after.set('jobs', next) : after.delete('jobs')))}
            data={[
              { value: 'chart', label: 'Chart' },
              { value: 'times', label: 'Times' },
            ]}
            aria-label="What the table shows"
          />
        )}
      </div>
      {shown.length === 0 ? (
        <Nothing any={list.length > 0} complete={complete} change={change} />
      ) : narrow ? (
        <JobCards rows={rows} selected={params.get('job')} onOpen={open} />
      ) : (
        <JobTable rows={rows} all={list} active={active} view={view} selected={params.get('job')} onOpen={open} />
      )}
    </div>
  );
}

type Change = (make: (params: URLSearchParams) => void) => void;

function StatusFilter({ chosen, change }: { chosen: readonly JobStatus[]; change: Change }) {
  const { list } = useJobs();
  const counts = useMemo(() => countByStatus(list), [list]);
  const toggle = (status: JobStatus) =>
    change((after) => {
      const next = chosen.includes(status) ? chosen.filter((each) => each !== status) : [...chosen, status];
      after.delete('jobStatus');
      for (const each of next) after.append('jobStatus', each);
    });
  return (
    <fieldset className={classes.statuses}>
      <legend className="visually-hidden">Only jobs that are</legend>
      {STATUSES.filter((status) => counts.has(status) || chosen.includes(status)).map((status) => {
        const { label, icon: Icon, tone } = JOB[status];
        return (
          <button
            key={status}
            type="button"
            className={classes.status}
            aria-pressed={chosen.includes(status)}
            style={{ '--tone': `var(--ry-${tone})`, '--ground': `var(--ry-${tone}-ground)` } as React.CSSProperties}
            onClick={() => toggle(status)}
          >
            <Icon size={13} stroke={2.2} aria-hidden />
            {label}
            <span className="numbers">{NUMBER.format(counts.get(status) ?? 0)}</span>
          </button>
        );
      })}
    </fieldset>
  );
}

function TextFilter({ text, change }: { text: string; change: Change }) {
  const typed = useTyped(
    text,
    (next) => change((after) => (next === '' ? after.delete('jobText') : after.set('jobText', next))),
    150,
  );
  return (
    <TextInput
      size="xs"
      w={200}
      value={typed.text}
      onChange={(event) => typed.type(event.currentTarget.value)}
      placeholder="Node, agent, error …"
      aria-label="Only jobs with this text"
      leftSection={<IconSearch size={14} aria-hidden />}
      rightSection={
        typed.text === '' ? null : <CloseButton size="xs" onClick={() => typed.type('')} aria-label="Clear the text" />
      }
    />
  );
}

function Chosen({ filter: { node, item }, change }: { filter: JobFilter; change: Change }) {
  const { nodes } = useExecution();
  const { list } = useJobs();
  const name = node === null ? null : nodes.find((each) => each.nodeId === node)?.name;
  return (
    <>
      {node !== null && (
        <Chip
          words={`Node ${name ?? list.find((each) => each.nodeId === node)?.nodeName ?? node}`}
          onClear={() => change((after) => after.delete('node'))}
        />
      )}
      {item !== null && <Chip words={`Iteration ${item}`} onClear={() => change((after) => after.delete('item'))} />}
    </>
  );
}

function Chip({ words, onClear }: { words: string; onClear: () => void }) {
  return (
    <span className={classes.chip}>
      {words}
      <CloseButton size="xs" onClick={onClear} aria-label={`All jobs, not only of ${words}`} />
    </span>
  );
}

function Nothing({ any, complete, change }: { any: boolean; complete: boolean; change: Change }) {
  const active = useActive();
  if (!any)
    return (
      <EmptyState icon={IconListDetails} title={complete ? 'No jobs' : 'Reading the jobs'}>
        {active
          ? 'The first job appears here as soon as an action is reached.'
          : 'No action was reached before the execution ended: the log says why.'}
      </EmptyState>
    );
  return (
    <EmptyState icon={IconSearchOff} title="No job matches">
      <Button
        variant="default"
        size="xs"
        mt="xs"
        onClick={() =>
          change((after) => {
            for (const each of ['jobStatus', 'jobText', 'node', 'item']) after.delete(each);
          })
        }
      >
        Show all jobs
      </Button>
    </EmptyState>
  );
}
