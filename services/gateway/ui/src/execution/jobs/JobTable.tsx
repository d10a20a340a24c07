import { IconChevronDown, IconChevronRight, IconClock } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useCallback, useMemo, useRef, useState } from 'react';
import { JOB } from '@/theme/status';
import { Countdown } from '@/ui/Countdown';
import { useNow } from '@/ui/clock';
import { StatusBadge } from '@/ui/StatusBadge';
import { useShortcuts } from '@/ui/shortcuts';
import { durationText, fullInstantText, instantText } from '@/ui/time';
import { hasEnded, type JobLine } from '../store';
import { type Attempts, type Line, linesOf } from './attempts';
import { type BarPart, barOf, barOfAll, placeOf, type Scale, scaleOf, ticksOf, tickText } from './chart';
import { AttemptsDuration, JobDuration } from './JobDuration';
import classes from './JobTimeline.module.css';

export const ROW = 32;
const HEAD = 30;

export interface JobTableProps {
  rows: readonly Attempts[];
  /** Those that the filter hides too: the scale is that of the execution. */
  all: readonly JobLine[];
  active: boolean;
  view: 'chart' | 'times';
  selected: string | null;
  onOpen: (jobId: string) => void;
}

export function JobTable({ rows, all, active, view, selected, onOpen }: JobTableProps) {
  const room = useRef<HTMLElement>(null);
  const [unfolded, setUnfolded] = useState<ReadonlySet<string>>(new Set());
  const lines = useMemo(() => linesOf(rows, unfolded), [rows, unfolded]);
  const fold = useCallback(
    (key: string) =>
      setUnfolded((before) => {
        const after = new Set(before);
        if (!after.delete(key)) after.add(key);
        return after;
      }),
    [],
  );
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => room.current,
    estimateSize: () => ROW,
    overscan: 8,
    scrollPaddingStart: HEAD,
    getItemKey: (index) => lines[index]?.key ?? index,
  });
  const [scale, now] = useSteppedScale(all, active);
  const go = useRowKeys(room, lines, virtual.scrollToIndex);
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
      style={
        {
          height: HEAD + 2 + ROW * Math.max(lines.length, 4),
          '--now': `${placeOf(now, scale)}%`,
        } as React.CSSProperties
      }
      data-active={active}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
      tabIndex={0}
      aria-label="Jobs"
    >
      <table className={classes.table} aria-rowcount={lines.length + 1}>
        <colgroup>
          <col />
          <col className={classes.action} />
          <col style={{ width: 116 }} />
          <col style={{ width: 66 }} />
          <col style={{ width: 92 }} />
          {view === 'times' && [0, 1, 2, 3].map((each) => <col key={each} style={{ width: 92 }} />)}
          <col style={{ width: 92 }} />
          {view === 'chart' && <col className={classes.scale} />}
        </colgroup>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">Node</th>
            <th scope="col" className={classes.action}>
              Action
            </th>
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
                <Axis scale={scale} now={active ? now : null} />
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {above > 0 && <tr aria-hidden style={{ height: above }} />}
          {items.map(({ index, key }) => {
            const line = lines[index];
            return (
              line && (
                <Row
                  key={key}
                  lineKey={line.key}
                  job={line.job}
                  attempts={line.attempts}
                  isAttempt={line.isAttempt}
                  isUnfolded={unfolded.has(line.attempts.key)}
                  index={index}
                  view={view}
                  scale={view === 'chart' ? scale : null}
                  isSelected={selected !== null && isShown(line, selected)}
                  onOpen={onOpen}
                  onFold={fold}
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

function isShown({ job, attempts, isAttempt }: Line, jobId: string): boolean {
  return isAttempt ? job.jobId === jobId : attempts.jobs.some((each) => each.jobId === jobId);
}

/** j and k go from row to row, whether it is drawn yet or not. */
function useRowKeys(
  room: React.RefObject<HTMLElement | null>,
  lines: readonly Line[],
  scrollTo: (index: number, options: { align: 'auto' }) => void,
) {
  return (by: 1 | -1) => {
    const focused = room.current?.contains(document.activeElement)
      ? document.activeElement?.closest<HTMLElement>('[data-line]')?.dataset.line
      : undefined;
    const from = lines.findIndex((line) => line.key === focused);
    const next = from < 0 ? 0 : Math.min(Math.max(from + by, 0), lines.length - 1);
    const line = lines[next];
    if (line === undefined) return;
    scrollTo(next, { align: 'auto' });
    const focus = (tries: number) => {
      const button = room.current?.querySelector<HTMLElement>(`[data-line="${line.key}"] .${classes.name}`);
      if (button) button.focus({ preventScroll: true });
      else if (tries > 0) requestAnimationFrame(() => focus(tries - 1));
    };
    focus(5);
  };
}

const Row = memo(function Row({
  lineKey,
  job,
  attempts,
  isAttempt,
  isUnfolded,
  index,
  view,
  scale,
  isSelected,
  onOpen,
  onFold,
}: {
  lineKey: string;
  job: JobLine;
  attempts: Attempts;
  isAttempt: boolean;
  isUnfolded: boolean;
  index: number;
  view: 'chart' | 'times';
  scale: Scale | null;
  isSelected: boolean;
  onOpen: (jobId: string) => void;
  onFold: (key: string) => void;
}) {
  const several = !isAttempt && attempts.jobs.length > 1;
  const first = isAttempt ? job : attempts.jobs[0];
  return (
    <tr
      className={classes.row}
      data-line={lineKey}
      data-attempt={isAttempt}
      data-selected={isSelected}
      aria-rowindex={index + 2}
      onClick={() => onOpen(job.jobId)}
    >
      <td colSpan={isAttempt ? 2 : 1}>
        <span className={classes.node}>
          {several && (
            <button
              type="button"
              className={classes.fold}
              aria-expanded={isUnfolded}
              aria-label={`The ${attempts.jobs.length} attempts of ${job.nodeName}`}
              onClick={(event) => {
                event.stopPropagation();
                onFold(attempts.key);
              }}
            >
              {isUnfolded ? <IconChevronDown size={14} aria-hidden /> : <IconChevronRight size={14} aria-hidden />}
            </button>
          )}
          {isAttempt ? (
            <button type="button" className={classes.name} title={job.error?.message}>
              Attempt {job.attempt}
              {job.error && <span className={classes.why}> {job.error.message}</span>}
            </button>
          ) : (
            <button type="button" className={classes.name} title={job.nodeName}>
              {job.nodeName}
              {job.item !== null && <span className={classes.item}> {job.item}</span>}
            </button>
          )}
        </span>
      </td>
      {!isAttempt && (
        <td className={`${classes.action} ${classes.mono}`} title={job.actionType}>
          {job.actionType}
        </td>
      )}
      <td className={classes.badge}>
        {!isAttempt && attempts.retryAt !== null ? (
          <span className={classes.retry} title="It failed, and is tried again">
            <IconClock size={13} aria-hidden /> Retry <Countdown at={attempts.retryAt} over="now" />
          </span>
        ) : (
          <StatusBadge look={JOB[job.status]} bare />
        )}
      </td>
      <td className="numbers" title={several ? `${attempts.jobs.length} attempts` : undefined}>
        {job.attempt}
      </td>
      <td title={job.agent ?? 'no agent yet'}>{job.agent ?? '–'}</td>
      {view === 'times' && (
        <>
          <Time at={first.queuedAt} />
          <Time at={first.dispatchedAt} />
          <Time at={first.startedAt} />
          <Time at={attempts.retryAt === null || isAttempt ? job.finishedAt : null} />
        </>
      )}
      <td className={`${classes.right} numbers`}>
        {isAttempt ? <JobDuration job={job} /> : <AttemptsDuration attempts={attempts} />}
      </td>
      {scale && (
        <td
          className={classes.chart}
          style={{ '--step': `${(scale.step / (scale.to - scale.from)) * 100}%` } as React.CSSProperties}
        >
          {hasEnded(job.status) ? (
            <Bar parts={isAttempt ? barOf(job, 0) : barOfAll(attempts, 0)} scale={scale} />
          ) : (
            <LiveBar job={isAttempt ? job : null} attempts={attempts} scale={scale} />
          )}
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

/** `job`: of several attempts this one alone. */
function LiveBar({ job, attempts, scale }: { job: JobLine | null; attempts: Attempts; scale: Scale }) {
  const now = useNow();
  return <Bar parts={job === null ? barOfAll(attempts, now) : barOf(job, now)} scale={scale} />;
}

function Bar({ parts, scale }: { parts: readonly BarPart[]; scale: Scale }) {
  const words = parts.map(({ part, from, to }) => `${WORDS[part]} ${durationText(to - from)}`).join(', ');
  return (
    <span className={classes.gantt} role="img" aria-label={words} title={words}>
      {parts.map(({ part, from, to, status }) => {
        const left = placeOf(from, scale);
        return (
          <span
            key={`${part} ${from}`}
            data-part={part}
            style={{
              left: `${left}%`,
              width: `${placeOf(to, scale) - left}%`,
              ...(part === 'ran' ? { background: `var(--ry-${JOB[status].tone})` } : {}),
            }}
          />
        );
      })}
    </span>
  );
}

const WORDS = {
  queued: 'waited',
  dispatched: 'on its way to the agent',
  ran: 'ran',
  delay: 'waited for the next attempt',
} as const;

/** The scale for now: the same object until it is another scale. And now. */
function useSteppedScale(jobs: readonly JobLine[], active: boolean): [Scale, number] {
  const now = useNow(active);
  const before = useRef<Scale | null>(null);
  const scale = useMemo(() => {
    const next = scaleOf(jobs, now, active);
    const old = before.current;
    const same = old !== null && old.from === next.from && old.to === next.to && old.step === next.step;
    before.current = same ? old : next;
    return before.current;
  }, [jobs, now, active]);
  return [scale, now];
}

/** `now`: null once nothing goes on. */
function Axis({ scale, now }: { scale: Scale; now: number | null }) {
  const end = now === null ? null : placeOf(now, scale);
  return (
    <span className={classes.ticks}>
      <span className="visually-hidden">Chart</span>
      {ticksOf(scale)
        .map((tick) => ({ words: tickText(Math.round(tick - scale.from)), at: placeOf(tick, scale) }))
        // no words below others: they begin at their place, `now` is in the middle of its own
        .filter(({ at, words }) => end === null || at < end - 6 - 2 * words.length || at > end + 7)
        .map(({ words, at }) => (
          <span key={words} aria-hidden style={{ left: `${at}%` }}>
            {words}
          </span>
        ))}
      {end !== null && (
        <span aria-hidden className={classes.now}>
          now
        </span>
      )}
    </span>
  );
}
