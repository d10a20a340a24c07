import { NavLink } from 'react-router';
import { useWaitingForMe } from '@/shell/waitingForMe';
import classes from './ListTabs.module.css';

/** Executions, and the approvals that wait for me: two sides of one page (R30). */
export function ListTabs() {
  const waiting = useWaitingForMe();
  return (
    <nav className={classes.tabs} aria-label="Executions and approvals">
      <NavLink to="/automation/executions" className={classes.tab}>
        Executions
      </NavLink>
      <NavLink to="/automation/approvals" className={classes.tab}>
        Pending approvals
        {waiting !== null && waiting.waiting > 0 && (
          <span className={classes.count}>
            {waiting.waiting}
            {waiting.more && '+'}
          </span>
        )}
      </NavLink>
    </nav>
  );
}
