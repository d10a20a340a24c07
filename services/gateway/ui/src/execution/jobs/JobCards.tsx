/** The jobs where there is no room for a table. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef } from 'react';
import { JOB } from '@/theme/status';
import { Countdown } from '@/ui/Countdown';
import { StatusBadge } from '@/ui/StatusBadge';
import { instantText } from '@/ui/time';
import type { Attempts } from './attempts';
import { AttemptsDuration } from './JobDuration';
import classes from './JobTimeline.module.css';

const CARD = 74;
const MOST_CARDS = 7;

export function JobCards({
  rows,
  selected,
  onOpen,
}: {
  rows: readonly Attempts[];
  selected: string | null;
  onOpen: (jobId: string) => void;
}) {
  const room = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => room.current,
    estimateSize: () => CARD,
    overscan: 6,
    getItemKey: (index) => rows[index]?.key ?? index,
  });
  return (
    <section
      ref={room}
      className={classes.room}
      style={{ height: CARD * Math.min(Math.max(rows.length, 2), MOST_CARDS) }}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
      tabIndex={0}
      aria-label="Jobs"
    >
      <ul className={classes.cards} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, key, start }) => {
          const row = rows[index];
          const job = row?.last;
          return (
            job && (
              <li
                key={key}
                style={{ transform: `translateY(${start}px)`, height: CARD }}
                aria-posinset={index + 1}
                aria-setsize={rows.length}
              >
                <button
                  type="button"
                  className={classes.card}
                  aria-current={selected !== null && row.jobs.some((each) => each.jobId === selected)}
                  onClick={() => onOpen(job.jobId)}
                >
                  <span className={classes.cardLine}>
                    <strong className={classes.ellipsis}>{job.nodeName}</strong>
                    {row.retryAt === null ? (
                      <StatusBadge look={JOB[job.status]} bare />
                    ) : (
                      <span className={classes.retry}>
                        Retry <Countdown at={row.retryAt} over="now" />
                      </span>
                    )}
                  </span>
                  <span className={`${classes.cardLine} ${classes.soft}`}>
                    <span className={classes.ellipsis}>
                      {[job.item, job.actionType, job.agent, job.attempt > 1 ? `attempt ${job.attempt}` : null]
                        .filter(Boolean)
                        .join(' · ')}
                    </span>
                  </span>
                  <span className={`${classes.cardLine} ${classes.soft} numbers`}>
                    <span>{instantText(row.jobs[0].startedAt ?? row.jobs[0].queuedAt)}</span>
                    <span>
                      <AttemptsDuration attempts={row} />
                    </span>
                  </span>
                </button>
              </li>
            )
          );
        })}
      </ul>
    </section>
  );
}
