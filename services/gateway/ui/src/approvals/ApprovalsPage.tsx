/** Every approval that waits for me, across all workflows, oldest first (R30). */
import { Skeleton, Stack, Text } from '@mantine/core';
import { IconChecks } from '@tabler/icons-react';
import { useCallback, useReducer } from 'react';
import { useStream } from '@/api/streamHook';
import type { ApprovalRow } from '@/api/types';
import { ListTabs } from '@/executions/ListTabs';
import { useWaitingForMe } from '@/shell/waitingForMe';
import { EmptyState } from '@/ui/EmptyState';
import { LiveMark } from '@/ui/LiveMark';
import { Page } from '@/ui/Page';
import { ApprovalCard } from './ApprovalCard';
import { reduceInbox } from './inbox';

const LIMIT = 200;
const TOPICS = ['page', 'approval', 'gone'] as const;

export function ApprovalsPage() {
  const [inbox, dispatch] = useReducer(reduceInbox, null);
  const waiting = useWaitingForMe();
  const state = useStream(`/api/v1/approvals/stream?mine=true&limit=${LIMIT}`, TOPICS, (topic, data) => {
    if (topic === 'page') dispatch({ type: 'page', rows: (data as { items: ApprovalRow[] }).items });
    else if (topic === 'approval') dispatch({ type: 'row', row: data as ApprovalRow });
    else dispatch({ type: 'gone', approvalId: (data as { approvalId: string }).approvalId });
  });
  const onAnswered = useCallback(
    (approval: ApprovalRow, status: ApprovalRow['status']) =>
      status !== 'pending' && dispatch({ type: 'gone', approvalId: approval.approvalId }),
    [],
  );
  return (
    <Page title="Pending approvals" actions={<LiveMark state={state} />}>
      <ListTabs />
      {inbox === null ? (
        <Stack role="status" aria-label="Loading the approvals">
          <Skeleton height={150} />
          <Skeleton height={150} />
        </Stack>
      ) : inbox.length === 0 ? (
        <EmptyState icon={IconChecks} title="Nothing waits for you">
          When a workflow stops for a decision of yours, it appears here at once, and the navigation says how many there
          are.
        </EmptyState>
      ) : (
        <Stack gap="sm" maw={1280}>
          {inbox.map((approval) => (
            <ApprovalCard key={approval.approvalId} approval={approval} inInbox onAnswered={onAnswered} />
          ))}
          {waiting?.more === true && (
            <Text c="dimmed" size="sm">
              These are the oldest {LIMIT}; the others follow as they are decided.
            </Text>
          )}
        </Stack>
      )}
    </Page>
  );
}
