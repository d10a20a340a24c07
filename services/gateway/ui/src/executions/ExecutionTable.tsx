import { Checkbox } from '@mantine/core';
import { memo, type Ref, useEffect, useRef } from 'react';
import { Link } from 'react-router';
import type { ExecutionRow } from '@/api/types';
import { EXECUTION, isActive } from '@/theme/status';
import { Duration, Instant } from '@/ui/Instant';
import rowTable from '@/ui/RowTable.module.css';
import { StatusBadge } from '@/ui/StatusBadge';
import { sentence } from '@/ui/sentence';
import { type Doing, doingOf } from './doing';
import classes from './ExecutionTable.module.css';
import { HowLong } from './HowLong';
import { TriggerText } from './TriggerText';

interface Props {
  rows: readonly ExecutionRow[];
  /** Those that were active when they came in. */
  cameActive: ReadonlySet<string>;
  /** The row that keys act on; -1 for none. */
  current: number;
  selected: ReadonlySet<string>;
  /** null: nobody here may do anything with what is selected. */
  onSelect: ((executionIds: readonly string[], selected: boolean) => void) | null;
}

export function ExecutionTable({ rows, cameActive, current, selected, onSelect }: Props) {
  const marked = useRef<HTMLTableRowElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the marked row is another one
  useEffect(() => {
    void marked.current?.scrollIntoView({ block: 'nearest' }); // newer browsers answer with a promise
  }, [current]);
  const all = rows.length > 0 && rows.every((each) => selected.has(each.executionId));
  return (
    <table className={`${rowTable.table} ${classes.executions}`} data-choosing={onSelect !== null}>
      <thead>
        <tr>
          {onSelect && (
            <th className={classes.check}>
              <Checkbox
                size="xs"
                aria-label="Select all that are shown"
                checked={all}
                indeterminate={!all && selected.size > 0}
                onChange={(event) =>
                  onSelect(
                    rows.map((each) => each.executionId),
                    event.currentTarget.checked,
                  )
                }
              />
            </th>
          )}
          <th>Workflow</th>
          <th className={classes.status}>Status</th>
          <th className={classes.trigger}>Trigger</th>
          <th className={classes.started}>Started</th>
          <th className={classes.number}>Duration</th>
          <th className={`${classes.number} ${classes.jobs}`}>Jobs</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row, index) => (
          <Row
            key={row.executionId}
            ref={index === current ? marked : undefined}
            row={row}
            current={index === current}
            selected={selected.has(row.executionId)}
            roomy={cameActive.has(row.executionId)}
            onSelect={onSelect}
          />
        ))}
      </tbody>
    </table>
  );
}

/** Drawn anew only when its execution has changed. */
const Row = memo(function Row({
  ref,
  row,
  current,
  selected,
  roomy,
  onSelect,
}: {
  ref: Ref<HTMLTableRowElement> | undefined;
  row: ExecutionRow;
  current: boolean;
  selected: boolean;
  /** It has room for a reason, whether there is one or not: nothing moves when it comes or goes. */
  roomy: boolean;
  onSelect: Props['onSelect'];
}) {
  const reason = reasonOf(row);
  const hasRoom = roomy || reason !== null;
  return (
    <tr
      ref={ref}
      className={`${rowTable.row} ${classes.line}`}
      data-current={current}
      data-selected={selected}
      data-roomy={hasRoom}
    >
      {onSelect && (
        <td className={classes.check}>
          <Checkbox
            size="xs"
            aria-label={`Select ${row.workflowName}, started ${row.startedAt}`}
            checked={selected}
            onChange={(event) => onSelect([row.executionId], event.currentTarget.checked)}
          />
        </td>
      )}
      <td className={classes.workflow}>
        <span className={classes.name}>
          <Link
            to={`/automation/executions/${row.executionId}`}
            className={rowTable.link}
            title={reason?.all || undefined}
          >
            {row.workflowName}
          </Link>
          <span className={classes.id}>{row.executionId.slice(-8)}</span>
        </span>
        {hasRoom && <ReasonLine reason={reason} />}
      </td>
      <td className={classes.status}>
        <StatusBadge look={EXECUTION[row.status]} />
      </td>
      <td className={classes.trigger}>
        <TriggerText trigger={row.trigger} />
      </td>
      <td className={classes.started}>
        <Instant at={row.startedAt} />
      </td>
      <td className={classes.number}>
        <Duration startedAt={row.startedAt} finishedAt={row.finishedAt} />
      </td>
      <td
        className={`${classes.number} ${classes.jobs}`}
        title={`${row.jobs.completed} of ${row.jobs.total} jobs completed, retries included`}
      >
        {row.jobs.completed} / {row.jobs.total}
      </td>
    </tr>
  );
});

function ReasonLine({ reason }: { reason: Reason | null }) {
  return (
    <span className={classes.reason} data-failed={reason?.failed ?? false}>
      <span className={classes.said}>
        <span className={classes.words}>{reason?.words}</span>
        {reason !== null && reason.first !== null && (
          <span className={classes.time}>
            {' '}
            <HowLong {...reason.first} />
            {reason.others > 0 && `, and ${reason.others} more`}
          </span>
        )}
      </span>
    </span>
  );
}

interface Reason {
  words: string;
  /** All of several. */
  all: string;
  failed: boolean;
  /** What ticks, of the first. */
  first: Doing | null;
  others: number;
}

/** Why it failed, or what it does and waits for: in the list already. */
function reasonOf(row: ExecutionRow): Reason | null {
  const { status, error, waiting, waitingTotal } = row;
  const active = isActive(status);
  if (error !== null && (status === 'failed' || active))
    return { words: sentence(error.message), all: error.message, failed: true, first: null, others: 0 };
  if (!active) return null;
  const doing = doingOf(row);
  const [first] = doing;
  if (first === undefined) return { words: 'Deciding what comes next', all: '', failed: false, first: null, others: 0 };
  return {
    words: sentence(first.words),
    all: doing.map((each) => each.words).join('\n'),
    failed: false,
    first,
    // of very many that wait, some are named
    others: doing.length - 1 + waitingTotal - waiting.length,
  };
}
