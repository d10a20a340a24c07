import { useLocation } from 'react-router';
import { useWaitingForMe } from '@/shell/waitingForMe';
import { CountBadge } from '@/ui/CountBadge';
import { LinkTabs } from '@/ui/LinkTabs';

const EXECUTIONS = '/automation/executions';
const APPROVALS = '/automation/approvals';

/** Executions, and the approvals that wait for me: two sides of one page (R30). */
export function ListTabs() {
  const waiting = useWaitingForMe();
  const { pathname } = useLocation();
  const approvals = (
    <>
      Pending approvals
      {waiting !== null && waiting.waiting > 0 && <CountBadge count={waiting.waiting} more={waiting.more} />}
    </>
  );
  return (
    <LinkTabs
      label="Executions and approvals"
      tabs={[
        { to: EXECUTIONS, label: 'Executions', current: pathname === EXECUTIONS },
        { to: APPROVALS, label: approvals, current: pathname === APPROVALS },
      ]}
    />
  );
}
