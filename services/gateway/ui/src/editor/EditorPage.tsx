/** A new workflow, or the draft of one that there is. */
import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useLocation, useParams } from 'react-router';
import { api, take } from '@/api/client';
import { Page } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { NewWorkflow } from './NewWorkflow';
import type { Made } from './useDraft';
import { Workbench } from './Workbench';

export function EditorPage() {
  const { workflowId } = useParams();
  return workflowId === undefined ? <NewWorkflow /> : <Existing key={workflowId} workflowId={workflowId} />;
}

function Existing({ workflowId }: { workflowId: string }) {
  const minPosition = (useLocation().state as Made | null)?.position;
  // read once: what others save meanwhile is shown when this one is saved, and never replaces what is being written
  const { data, error, refetch } = useQuery({
    queryKey: ['editor', workflowId],
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    queryFn: ({ signal }) =>
      take(
        api.GET('/api/v1/workflows/{workflowId}', {
          params: { path: { workflowId }, query: minPosition === undefined ? {} : { minPosition } },
          signal,
        }),
      ),
  });
  if (data === undefined)
    return (
      <Page title="Edit a workflow">
        {error ? <ProblemAlert error={error} onRetry={() => void refetch()} /> : <Skeleton h={400} />}
      </Page>
    );
  const { draft, draftDiffers, publishedVersion, active, archived } = data;
  const { source, revision, savedAt, savedBy } = draft;
  const publishedSource = publishedVersion !== null && !draftDiffers ? source : null;
  return (
    <Workbench
      initial={{ workflowId, source, revision, savedAt, savedBy, publishedVersion, publishedSource, active, archived }}
    />
  );
}
