/** The graph of the version that runs, with the live state of everything (R18). What is selected is in the address: `?node=`, `?item=`. */
import { Center, Loader } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef } from 'react';
import { useSearchParams } from 'react-router';
import { api, take } from '@/api/client';
import { problemOf } from '@/api/problem';
import { useExecution, usePosition } from '@/execution/store';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useChangeParams } from '@/ui/params';
import { graphOfDocument } from './document';
import { edgeStates, kept, modelOf, nodeStates } from './executionStates';
import { ItemChooser } from './ItemChooser';
import { allNodes, idOf } from './model';
import type { EdgeState, NodeState } from './props';
import { WorkflowGraph } from './WorkflowGraph';
import classes from './WorkflowGraph.module.css';

/** What could not be read because the server was away, or was behind, is read when it is back. */
function whileAway({ state }: { state: { error: Error | null } }): number | false {
  return state.error !== null && [0, 503].includes(problemOf(state.error).status) ? AWAY_MS : false;
}

/** How long after something happened the edges are read again, at least. */
const READ_AGAIN_MS = 1000;
const AWAY_MS = 2000;

export function ExecutionGraph() {
  const { executionId, workflowId, workflowName, version, nodes } = useExecution();
  const [params] = useSearchParams();
  const change = useChangeParams();
  const item = params.get('item');
  const position = usePosition();

  const graph = useQuery({
    queryKey: ['execution', executionId, 'graph', item],
    queryFn: () =>
      take(
        api.GET('/api/v1/executions/{executionId}/graph', {
          // an iteration that was heard of is asked for when it can be read
          params: { path: { executionId }, query: item === null ? {} : { item, minPosition: position } },
        }),
      ),
    placeholderData: keepPreviousData,
    staleTime: READ_AGAIN_MS,
    refetchInterval: whileAway,
  });
  useReadAgain(graph.refetch, graph.data?.asOf ?? null, graph.dataUpdatedAt + graph.errorUpdatedAt);

  const published = useQuery({
    queryKey: ['workflow', workflowId, 'version', version],
    queryFn: () =>
      take(api.GET('/api/v1/workflows/{workflowId}/versions/{version}', { params: { path: { workflowId, version } } })),
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: whileAway,
  });

  // A version never changes: one model for as long as the page is open, whatever is read again.
  const shape = useRef<{ key: string; model: ReturnType<typeof modelOf> } | null>(null);
  const model = useMemo(() => {
    if (graph.data === undefined) return null;
    const document = published.data?.document;
    const key = `${workflowId} ${version} ${document !== undefined}`;
    if (shape.current?.key !== key) {
      const details = new Map(
        document === undefined
          ? []
          : allNodes(graphOfDocument(document)).map((node) => [node.id, node.detail] as const),
      );
      shape.current = { key, model: modelOf(graph.data, details) };
    }
    return shape.current.model;
  }, [graph.data, published.data, workflowId, version]);

  const nodesBefore = useRef<ReadonlyMap<string, NodeState>>(new Map());
  const edgesBefore = useRef<ReadonlyMap<string, EdgeState>>(new Map());
  const states = useMemo(() => {
    if (graph.data) nodesBefore.current = kept(nodesBefore.current, nodeStates(graph.data, nodes));
    return nodesBefore.current;
  }, [graph.data, nodes]);
  const edges = useMemo(() => {
    if (graph.data && model) edgesBefore.current = kept(edgesBefore.current, edgeStates(graph.data, model));
    return edgesBefore.current;
  }, [graph.data, model]);

  const wanted = params.get('node');
  const selected = useMemo(
    () => (model && wanted !== null ? (allNodes(model).find((node) => node.id === wanted)?.key ?? null) : null),
    [model, wanted],
  );
  const onSelect = useCallback(
    (key: string | null) =>
      change(
        (after) => {
          if (key === null || idOf(key) === after.get('node')) after.delete('node');
          else after.set('node', idOf(key));
        },
        { replace: true },
      ),
    [change],
  );

  if (graph.isError && graph.data === undefined)
    return (
      <Center h="100%" p="md">
        <ProblemAlert title="The graph cannot be read" error={graph.error} onRetry={() => graph.refetch()} />
      </Center>
    );
  if (model === null)
    return (
      <Center h="100%">
        <Loader size="sm" aria-label="Reading the graph" />
      </Center>
    );
  return (
    <div className={classes.execution}>
      <WorkflowGraph
        model={model}
        label={`Graph of ${workflowName}, version ${version}`}
        selected={selected}
        onSelect={onSelect}
        states={states}
        edgeStates={edges}
      />
      <ItemChooser model={model} states={states} />
    </div>
  );
}

/** Events tell the nodes' states at once; which edges were taken is read soon after, no more often than once a second. */
function useReadAgain(read: () => Promise<unknown>, asOf: number | null, lastReading: number) {
  const position = usePosition();
  const readAt = useRef(Date.now());
  const behind = asOf !== null && asOf < position;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a reading that was not new enough, or failed, is followed by another
  useEffect(() => {
    if (!behind) return;
    const timer = setTimeout(
      () => {
        readAt.current = Date.now();
        void read();
      },
      Math.max(150, readAt.current + READ_AGAIN_MS - Date.now()),
    );
    return () => clearTimeout(timer);
  }, [behind, read, lastReading]);
}
