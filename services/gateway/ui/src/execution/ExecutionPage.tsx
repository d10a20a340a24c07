/** One execution, live: what it does, what it waits for, what went wrong, and what to do about it (R11 to R20). */
import { Center, Loader } from '@mantine/core';
import { IconMapOff } from '@tabler/icons-react';
import { useEffect, useMemo, useSyncExternalStore } from 'react';
import { Link, useParams } from 'react-router';
import { EmptyState } from '@/ui/EmptyState';
import { Page } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { ExecutionView } from './ExecutionView';
import { ExecutionContext, ExecutionStore } from './store';

export function ExecutionPage() {
  const { executionId = '' } = useParams();
  // another execution is another page: nothing of the one before is shown for it
  return <One key={executionId} executionId={executionId} />;
}

function One({ executionId }: { executionId: string }) {
  const store = useMemo(() => new ExecutionStore(executionId), [executionId]);
  useEffect(() => store.open(), [store]);
  const known = useSyncExternalStore(store.subscribe, () => store.current() !== null);
  const problem = useSyncExternalStore(store.subscribe, store.refusal);
  if (known) {
    return (
      <ExecutionContext value={store}>
        <ExecutionView />
      </ExecutionContext>
    );
  }
  return (
    <Page title="Execution">
      {problem === null && (
        <Center mih="40vh">
          <Loader aria-label="Loading the execution" />
        </Center>
      )}
      {problem !== null && (problem.status === 404 || problem.status === 400) && (
        <EmptyState icon={IconMapOff} title="There is no such execution">
          {problem.detail} It may have been archived, or belong to another tenant. See{' '}
          <Link to="/automation/executions">all executions</Link>.
        </EmptyState>
      )}
      {problem !== null && problem.status !== 404 && problem.status !== 400 && <ProblemAlert error={problem} />}
    </Page>
  );
}
