import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useMemo, useRef } from 'react';
import { JOB } from '@/theme/status';
import { useNow } from '@/ui/clock';
import { StatusBadge } from '@/ui/StatusBadge';
import { useShortcuts } from '@/ui/shortcuts';
import { durationText, fullInstantText, instantText } from '@/ui/time';
import { hasEnded, type JobLine } from '../store';
import { barOf, placeOf, type Scale, scaleOf, ticksOf, tickText } from './chart';
import { JobDuration } from './JobDuration';
import classes from './JobTimeline.module.css';

export const ROW = 32;
const HEAD = 30;
const MOST_ROWS = 16;

export interface JobTableProps {
  jobs: readonly JobLine[];
  /** Those that the filter hides too: the scale is that of the execution. */
  all: readonly JobLine[];
  active: boolean;
  view: 'chart' | 'times';
  selected: string | null;
  onOpen: (jobId: string) => void;
}

export function JobTable({ jobs, all, active, view, selected, onOpen }: JobTableProps) {
  const room = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: jobs.length,
    getScrollElement: () => room.current,
    estimateSize: () => ROW,
    overscan: 8,
    scrollPaddingStart: HEAD,
    getItemKey: (index) => jobs[index]?.jobId ?? index,
  });
  const scale = useSteppedScale(all, active);
  const go = useRowKeys(room, jobs, virtual.scrollToIndex);
  useShortcuts([
    { key: 'j', does: 'Next job', run: () => go(1) },
    { key: 'k', does: 'Job before', run: () => go(-1) },
  ]);
  const items = virtual.getVirtualItems();
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <section
      ref={room}
      className={classes.room}
      // as high as all rows, up to a limit: and it stays so while more come
      style={{ height: HEAD + 2 + ROW * Math.min(Math.max(jobs.length, 4), MOST_ROWS) }}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
      tabIndex={0}
      aria-label="Jobs"
    >
      <table className={classes.table} aria-rowcount={jobs.length + 1}>
        <colgroup>
          <col />
          <col style={{ width: 148 }} />
          <col style={{ width: 112 }} />
          <col style={{ width: 64 }} />
          <col style={{ width: 104 }} />
          {view === 'times' && [0, 1, 2, 3].map((each) => <col key={each} style={{ width: 92 }} />)}
          <col style={{ width: 100 }} />
          {view === 'chart' && <col style={{ width: '34%' }} />}
        </colgroup>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">Node</th>
            <th scope="col">Action</th>
            <th scope="col">Status</th>
            <th scope="col">Attempt</th>
            <th scope="col">Agent</th>
            {view === 'times' &&
              ['Queued', 'Dispatched', 'Started', 'Finished'].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            <th scope="col" className={classes.right}>
              Duration
            </th>
            {view === 'chart' && (
              <th scope="col" className={classes.axis}>
                <Axis scale={scale} />
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {above > 0 && <tr aria-hidden style={{ height: above }} />}
          {items.map(({ index, key }) => {
            const job = jobs[index];
            return (
              job && (
                <Row
                  key={key}
                  job={job}
                  index={index}
                  view={view}
                  scale={view === 'chart' ? scale : null}
                  isSelected={selected === job.jobId}
                  onOpen={onOpen}
                />
              )
            );
          })}
          {below > 0 && <tr aria-hidden style={{ height: below }} />}
        </tbody>
      </table>
    </section>
  );
}

/** j and k go from row to row, whether it is drawn yet or not. */
function useRowKeys(
  room: React.RefObject<HTMLElement | null>,
  jobs: readonly JobLine[],
  scrollTo: (index: number, options: { align: 'auto' }) => void,
) {
  return (by: 1 | -1) => {
    const focused = room.current?.contains(document.activeElement)
      ? document.activeElement?.closest<HTMLElement>('[data-job]')?.dataset.job
      : undefined;
    const from = jobs.findIndex((job) => job.jobId === focused);
    const next = from < 0 ? 0 : Math.min(Math.max(from + by, 0), jobs.length - 1);
    const job = jobs[next];
    if (job === undefined) return;
    scrollTo(next, { align: 'auto' });
    const focus = (tries: number) => {
      const button = room.current?.querySelector<HTMLElement>(`[data-job="${job.jobId}"] button`);
      if (button) button.focus({ preventScroll: true });
      else if (tries > 0) requestAnimationFrame(() => focus(tries - 1));
    };
    focus(5);
  };
}

const Row = memo(function Row({
  job,
  index,
  view,
  scale,
  isSelected,
  onOpen,
}: {
  job: JobLine;
  index: number;
  view: 'chart' | 'times';
  scale: Scale | null;
  isSelected: boolean;
  onOpen: (jobId: string) => void;
}) {
  return (
    <tr
      className={classes.row}
      data-job={job.jobId}
      data-selected={isSelected}
      aria-rowindex={index + 2}
      onClick={() => onOpen(job.jobId)}
    >
      <td>
        <button type="button" className={classes.name} title={job.nodeName}>
          {job.nodeName}
          {job.item !== null && <span className={classes.item}> {job.item}</span>}
        </button>
      </td>
      <td className={classes.mono} title={job.actionType}>
        {job.actionType}
      </td>
      <td className={classes.badge}>
        <StatusBadge look={JOB[job.status]} bare />
      </td>
      <td className="numbers">{job.attempt}</td>
      <td title={job.agent ?? 'no agent yet'}>{job.agent ?? '–'}</td>
      {view === 'times' && (
        <>
          <Time at={job.queuedAt} />
          <Time at={job.dispatchedAt} />
          <Time at={job.startedAt} />
          <Time at={job.finishedAt} />
        </>
      )}
      <td className={`${classes.right} numbers`}>
        <JobDuration job={job} />
      </td>
      {scale && (
        <td
          className={classes.chart}
          style={{ '--step': `${(scale.step / (scale.to - scale.from)) * 100}%` } as React.CSSProperties}
        >
          {hasEnded(job.status) ? <Bar job={job} scale={scale} now={0} /> : <LiveBar job={job} scale={scale} />}
        </td>
      )}
    </tr>
  );
});

function Time({ at }: { at: string | null }) {
  return (
    <td className="numbers">
      {at === null ? (
        '–'
      ) : (
        <time dateTime={at} title={`${fullInstantText(at)} · ${at}`}>
          {instantText(at)}
        </time>
      )}
    </td>
  );
}

function LiveBar({ job, scale }: { job: JobLine; scale: Scale }) {
  return <Bar job={job} scale={scale} now={useNow()} />;
}

function Bar({ job, scale, now }: { job: JobLine; scale: Scale; now: number }) {
  const parts = barOf(job, now);
  const words = parts.map(({ part, from, to }) => `${WORDS[part]} ${durationText(to - from)}`).join(', ');
  return (
    <span className={classes.gantt} role="img" aria-label={words} title={words}>
      {parts.map(({ part, from, to }) => {
        const left = placeOf(from, scale);
        return (
          <span
            key={part}
            data-part={part}
            style={{
              left: `${left}%`,
              width: `${placeOf(to, scale) - left}%`,
              ...(part === 'ran' ? { background: `var(--ry-${JOB[job.status].tone})` } : {}),
            }}
          />
        );
      })}
    </span>
  );
}

const WORDS = { queued: 'waited', dispatched: 'on its way to the agent', ran: 'ran' } as const;

/** The scale for now: the same object until it is another scale. */
function useSteppedScale(jobs: readonly JobLine[], active: boolean): Scale {
  const now = useNow(active);
  const before = useRef<Scale | null>(null);
  return useMemo(() => {
    const next = scaleOf(jobs, now);
    const old = before.current;
    const same = old !== null && old.from === next.from && old.to === next.to && old.step === next.step;
    before.current = same ? old : next;
    return before.current;
  }, [jobs, now]);
}

function Axis({ scale }: { scale: Scale }) {
  return (
    <span className={classes.ticks}>
      <span className="visually-hidden">Chart</span>
      {ticksOf(scale).map((tick) => (
        <span key={tick} aria-hidden style={{ left: `${placeOf(tick, scale)}%` }}>
          {tickText(Math.round(tick - scale.from))}
        </span>
      ))}
    </span>
  );
}
