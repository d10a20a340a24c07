/** How a workflow went lately: the newest execution in words, those before it as marks. */
import { Link } from 'react-router';
import type { LastExecution } from '@/api/types';
import { EXECUTION } from '@/theme/status';
import { Distance } from '@/ui/Instant';
import { StatusBadge } from '@/ui/StatusBadge';
import classes from './LastRuns.module.css';

export function LastRuns({ executions }: { executions: readonly LastExecution[] }) {
  const [newest, ...before] = executions;
  if (newest === undefined) return <span className={classes.never}>Never ran</span>;
  const words = `Before: ${before.map(({ status }) => EXECUTION[status].label.toLowerCase()).join(', ')}`;
  return (
    <span className={classes.runs}>
      <Link className={classes.newest} to={`/automation/executions/${newest.executionId}`}>
        <StatusBadge look={EXECUTION[newest.status]} bare />
        <span className={classes.when}>
          <Distance at={newest.startedAt} />
        </span>
      </Link>
      {before.length > 0 && (
        <span className={classes.before} role="img" aria-label={words} title={words}>
          {before
            .map(({ executionId, status }) => (
              <span key={executionId} className={classes.mark} data-tone={EXECUTION[status].tone} />
            ))
            .reverse()}
        </span>
      )}
    </span>
  );
}
