/** What the pages of workflows read, and how they read what they have just changed. */
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, take } from '@/api/client';
import type { WorkflowDetail } from '@/api/types';
import { failed, said } from '@/ui/toast';

export const WORKFLOWS = ['workflows'] as const;

export function workflowKey(workflowId: string) {
  return [...WORKFLOWS, workflowId] as const;
}

export function workflowQuery(workflowId: string) {
  return {
    queryKey: [...workflowKey(workflowId), 'detail'],
    queryFn: ({ signal }: { signal: AbortSignal }): Promise<WorkflowDetail> =>
      take(api.GET('/api/v1/workflows/{workflowId}', { params: { path: { workflowId } }, signal })),
  };
}

/** A version never changes; which one runs does, and is not read from here. */
export function versionQuery(workflowId: string, version: number) {
  return {
    queryKey: ['workflowVersion', workflowId, version],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      take(
        api.GET('/api/v1/workflows/{workflowId}/versions/{version}', {
          params: { path: { workflowId, version } },
          signal,
        }),
      ),
  };
}

/** Everything about workflows anew, once the read model has what was done. */
export async function reread(client: QueryClient, workflowId: string, position: number): Promise<void> {
  const detail = await take(
    api.GET('/api/v1/workflows/{workflowId}', { params: { path: { workflowId }, query: { minPosition: position } } }),
  );
  client.setQueryData(workflowQuery(workflowId).queryKey, detail);
  await client.invalidateQueries({ queryKey: WORKFLOWS });
}

export interface Commands {
  /** Which one is under way. */
  busy: 'activate' | 'deactivate' | 'rollback' | 'archive' | null;
  activate: () => Promise<void>;
  deactivate: () => Promise<void>;
  rollBack: (version: number) => Promise<void>;
  archive: () => Promise<void>;
}

export function useCommands(workflow: { workflowId: string; name: string }): Commands {
  const client = useQueryClient();
  const [busy, setBusy] = useState<Commands['busy']>(null);
  const { workflowId, name } = workflow;
  const params = { path: { workflowId } };
  const command = async (
    what: NonNullable<Commands['busy']>,
    send: () => Promise<{ position: number }>,
    done: string,
    not: string,
  ) => {
    setBusy(what);
    try {
      await reread(client, workflowId, (await send()).position);
      said(done);
    } catch (error) {
      failed(not, error);
      void client.invalidateQueries({ queryKey: WORKFLOWS });
    } finally {
      setBusy(null);
    }
  };
  return {
    busy,
    activate: () =>
      command(
        'activate',
        () => take(api.POST('/api/v1/workflows/{workflowId}/activate', { params })),
        `${name} is active`,
        `${name} was not activated`,
      ),
    deactivate: () =>
      command(
        'deactivate',
        () => take(api.POST('/api/v1/workflows/{workflowId}/deactivate', { params })),
        `${name} is not active any more`,
        `${name} was not deactivated`,
      ),
    rollBack: (version) =>
      command(
        'rollback',
        () => take(api.POST('/api/v1/workflows/{workflowId}/rollback', { params, body: { version } })),
        `${name} uses version ${version} again`,
        `${name} was not rolled back`,
      ),
    archive: () =>
      command(
        'archive',
        () => take(api.DELETE('/api/v1/workflows/{workflowId}', { params })),
        `${name} is archived`,
        `${name} was not archived`,
      ),
  };
}
