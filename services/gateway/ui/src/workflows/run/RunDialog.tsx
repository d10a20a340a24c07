import { Loader, Modal } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { useNavigate } from 'react-router';
import { api, newKey, take } from '@/api/client';
import { problemOf } from '@/api/problem';
import type { WorkflowDetail } from '@/api/types';
import { ProblemAlert } from '@/ui/ProblemAlert';
import type { JsonSchema } from '@/ui/schemaForm/schema';
import { versionQuery } from '../queries';

const RunForm = lazy(async () => ({ default: (await import('./RunForm')).RunForm }));

/** Starts the version that runs, and goes to see it. */
export function RunDialog({ workflow, onClose }: { workflow: WorkflowDetail; onClose: () => void }) {
  const navigate = useNavigate();
  const version = useQuery(versionQuery(workflow.workflowId, workflow.publishedVersion ?? 0));
  // the same key again after an answer that was lost: it starts once
  const [key, setKey] = useState(newKey);
  const { inputs = null } = (version.data?.document ?? {}) as { inputs?: JsonSchema | null };
  const run = async (variables: Record<string, unknown>) => {
    try {
      const started = await take(
        api.POST('/api/v1/workflows/{workflowId}/run', {
          params: { path: { workflowId: workflow.workflowId }, header: { 'Idempotency-Key': key } },
          body: { variables },
        }),
      );
      navigate(`/automation/executions/${started.executionId}`);
    } catch (error) {
      if (!problemOf(error).unreachable) setKey(newKey());
      throw error;
    }
  };
  return (
    <Modal opened onClose={onClose} title={`Run ${workflow.name}`} size="lg">
      {version.isError ? (
        <ProblemAlert error={version.error} onRetry={() => version.refetch()} />
      ) : (
        <Suspense fallback={<Loader aria-label="Loading the form" />}>
          {version.isPending ? (
            <Loader aria-label="Loading the inputs" />
          ) : (
            <RunForm inputs={inputs} onRun={run} onCancel={onClose} />
          )}
        </Suspense>
      )}
    </Modal>
  );
}
