import { Link } from 'react-router';
import { EXECUTION } from '@/theme/status';
import { StatusBadge } from '@/ui/StatusBadge';
import classes from './Checklist.module.css';
import type { Progress } from './progress';

/** Where the first execution is seen, and how it stands. */
export function WatchStep({ progress: { execution, current } }: { progress: Progress }) {
  if (current !== 'watch' || execution === null) return null;
  return (
    <div className={classes.buttons}>
      <StatusBadge look={EXECUTION[execution.status]} />
      <Link to={`/automation/executions/${execution.executionId}`}>Watch {execution.workflowName}</Link>
    </div>
  );
}
