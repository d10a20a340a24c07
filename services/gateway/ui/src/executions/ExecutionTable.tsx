import { Checkbox } from '@mantine/core';
import { memo, type Ref, useEffect, useRef } from 'react';
import { Link } from 'react-router';
import type { ExecutionRow } from '@/api/types';
import { EXECUTION, isActive } from '@/theme/status';
import { Duration, Instant } from '@/ui/Instant';
import rowTable from '@/ui/RowTable.module.css';
import { StatusBadge } from '@/ui/StatusBadge';
import classes from './ExecutionTable.module.css';
import { TriggerText } from './TriggerText';

interface Props {
  rows: readonly ExecutionRow[];
  /** The row that keys act on; -1 for none. */
  current: number;
  selected: ReadonlySet<string>;
  /** null: nobody here may do anything with what is selected. */
  onSelect: ((executionIds: readonly string[], selected: boolean) => void) | null;
}

export function ExecutionTable({ rows, current, selected, onSelect }: Props) {
  const marked = useRef<HTMLTableRowElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the marked row is another one
  useEffect(() => {
    void marked.current?.scrollIntoView({ block: 'nearest' }); // newer browsers answer with a promise
  }, [current]);
  const all = rows.length > 0 && rows.every((each) => selected.has(each.executionId));
  return (
    <table className={`${rowTable.table} ${classes.executions}`}>
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
          <th className={classes.number}>Jobs</th>
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
  onSelect,
}: {
  ref: Ref<HTMLTableRowElement> | undefined;
  row: ExecutionRow;
  current: boolean;
  selected: boolean;
  onSelect: Props['onSelect'];
}) {
  return (
    <tr ref={ref} className={`${rowTable.row} ${classes.line}`} data-current={current} data-selected={selected}>
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
        <Link to={`/automation/executions/${row.executionId}`} className={rowTable.link}>
          {row.workflowName}
        </Link>
        <span className={classes.id}>{row.executionId.slice(-8)}</span>
        <Waiting row={row} />
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
        className={classes.number}
        title={`${row.jobs.completed} of ${row.jobs.total} jobs completed, retries included`}
      >
        {row.jobs.completed} / {row.jobs.total}
      </td>
    </tr>
  );
});

/** Why it does not go on, in the list already. The line is there for every active row, so that nothing moves when it is filled. */
function Waiting({ row }: { row: ExecutionRow }) {
  if (!isActive(row.status)) return null;
  const [first] = row.waiting;
  const others = row.waitingTotal - 1;
  return (
    <span className={classes.waiting} title={row.waiting.map((each) => each.detail).join('\n')}>
      {first ? `${first.detail}${others > 0 ? ` and ${others} more` : ''}` : ' '}
    </span>
  );
}
