/** All approvals of the execution, those that wait first; answered here (R20, R23). */
import { Button, Stack } from '@mantine/core';
import { IconHandStop } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { api, take } from '@/api/client';
import type { ApprovalRow } from '@/api/types';
import { ApprovalCard } from '@/approvals/ApprovalCard';
import { EmptyState } from '@/ui/EmptyState';
import { Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useExecution, useExecutionStore } from './store';

export function ApprovalsPanel() {
  const store = useExecutionStore();
  const { approvals, approvalsCursor } = useExecution();
  if (approvals.length === 0) {
    return (
      <Panel>
        <EmptyState icon={IconHandStop} title="No approvals">
          This execution has asked nobody for anything. Approvals come from nodes of type approval.
        </EmptyState>
      </Panel>
    );
  }
  return (
    <Stack gap="sm">
      {[...approvals].sort(waitingFirst).map((approval) => (
        <Panel key={approval.approvalId}>
          <ApprovalCard approval={approval} onAnswered={() => void store.refresh()} />
        </Panel>
      ))}
      {approvalsCursor !== null && <Others cursor={approvalsCursor} />}
    </Stack>
  );
}

/** Those that the detail does not hold, when they are asked for. */
function Others({ cursor }: { cursor: string }) {
  const { executionId } = useExecutionStore();
  const pages = useInfiniteQuery({
    queryKey: ['approvals', 'of', executionId, cursor],
    initialPageParam: cursor,
    enabled: false,
    queryFn: ({ pageParam, signal }) =>
      take(api.GET('/api/v1/approvals', { params: { query: { executionId, cursor: pageParam } }, signal })),
    getNextPageParam: (page) => page.nextCursor,
  });
  const more = pages.data === undefined || pages.hasNextPage;
  return (
    <>
      {pages.data?.pages
        .flatMap((page) => page.items)
        .map((approval) => (
          <Panel key={approval.approvalId}>
            <ApprovalCard approval={approval} onAnswered={() => void pages.refetch()} />
          </Panel>
        ))}
      {pages.isError && <ProblemAlert error={pages.error} />}
      {more && (
        <Button
          variant="default"
          loading={pages.isFetching}
          onClick={() => void (pages.data === undefined ? pages.refetch() : pages.fetchNextPage())}
        >
          Show more approvals
        </Button>
      )}
    </>
  );
}

function waitingFirst(one: ApprovalRow, other: ApprovalRow): number {
  const waits = (row: ApprovalRow) => (row.status === 'pending' ? 0 : 1);
  return waits(one) - waits(other);
}
