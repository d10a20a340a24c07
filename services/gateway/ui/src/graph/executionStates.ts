/** The graph of an execution as the API answers it, taken apart: what never changes (the model), and the states. Pure. */
import type { components } from '@/api/schema';
import type { ExecutionGraph, NodeRow } from '@/api/types';
import { type GraphModel, graphOf, type LevelSource } from './model';
import type { EdgeState, NodeState } from './props';

type Body = components['schemas']['GraphBody'];

/** `details`: what tells nodes from others of their type, by id; from the document of the version, if it may be read. */
export function modelOf(graph: Body, details: ReadonlyMap<string, string | null>): GraphModel {
  return graphOf(levelOf(graph, details));
}

function levelOf({ nodes, edges }: Body, details: ReadonlyMap<string, string | null>): LevelSource {
  return {
    nodes: nodes.map((node) => ({
      id: node.nodeId,
      type: node.type,
      name: node.name,
      detail: details.get(node.nodeId) ?? null,
      body: node.body ? levelOf(node.body, details) : null,
    })),
    edges,
  };
}

/**
 * By key. On the level of the execution `rows`, which are live, say more than the graph did when it was read; within bodies the
 * graph is all there is.
 */
export function nodeStates(graph: ExecutionGraph, rows: readonly NodeRow[]): Map<string, NodeState> {
  const states = new Map<string, NodeState>();
  const add = ({ nodes }: Body, around: string) => {
    for (const { nodeId, status, progress, body } of nodes) {
      states.set(around + nodeId, { status, startedAt: null, finishedAt: null, progress });
      if (body) add(body, `${around}${nodeId}/`);
    }
  };
  add(graph, '');
  for (const { nodeId, status, startedAt, finishedAt, progress } of rows)
    states.set(nodeId, { status, startedAt, finishedAt, progress });
  return states;
}

/** By the keys of the model's edges, which are those of the answer in their order. */
export function edgeStates(graph: Body, model: GraphModel): Map<string, EdgeState> {
  const states = new Map<string, EdgeState>();
  const bodies = new Map(graph.nodes.map((node) => [node.nodeId, node.body]));
  const prefix = model.nodes[0]?.key.slice(0, -(model.nodes[0]?.id.length ?? 0)) ?? '';
  for (const edge of model.edges) {
    const said = graph.edges.find(
      ({ from, port, to }) =>
        prefix + from === edge.from && prefix + to === edge.to && (port === edge.port || port === null),
    );
    states.set(edge.key, said?.status ?? 'pending');
  }
  for (const node of model.nodes) {
    const body = bodies.get(node.id);
    if (node.body && body) for (const [key, state] of edgeStates(body, node.body)) states.set(key, state);
  }
  return states;
}

/** The same map if nothing in it is new, and the same states where they are not: so that only what changed is drawn again. */
export function kept<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  let same = before.size === after.size;
  const merged = new Map<string, T>();
  for (const [key, state] of after) {
    const old = before.get(key);
    const isSame = old !== undefined && JSON.stringify(old) === JSON.stringify(state);
    merged.set(key, isSame ? old : state);
    same &&= isSame;
  }
  return same ? before : merged;
}

/** The iterations of a forEach have paths: `each[3]`, `outer[1].each[0]`. The path of its `index`th, given the item that is chosen. */
export function itemPath(key: string, index: number, chosen: string | null): string | null {
  const ids = key.split('/');
  const parts = chosen?.split('.') ?? [];
  const path: string[] = [];
  for (const [depth, id] of ids.entries()) {
    if (depth === ids.length - 1) path.push(`${id}[${index}]`);
    else if (parts[depth]?.startsWith(`${id}[`)) path.push(parts[depth]);
    else return null;
  }
  return path.join('.');
}

/** Which iteration of the forEach is chosen; null: none. */
export function chosenIndex(key: string, chosen: string | null): number | null {
  const ids = key.split('/');
  const part = chosen?.split('.')[ids.length - 1];
  const match = part?.match(/^(.+)\[(\d+)\]$/);
  return match?.[1] === ids.at(-1) ? Number(match?.[2]) : null;
}
