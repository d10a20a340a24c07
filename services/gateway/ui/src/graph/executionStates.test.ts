import { expect, test } from 'vitest';
import type { ExecutionGraph, NodeRow } from '@/api/types';
import { chosenIndex, edgeStates, itemPath, kept, modelOf, nodeStates } from './executionStates';
import { nodeWords } from './words';

const node = (nodeId: string, type: string, status: NodeRow['status'] | null) => ({
  nodeId,
  name: nodeId,
  type,
  status,
  progress: null,
  body: null,
});

const GRAPH: ExecutionGraph = {
  workflowId: 'w',
  version: 1,
  asOf: 5,
  nodes: [
    node('trigger', 'trigger', 'completed'),
    node('ask', 'approval', 'completed'),
    {
      ...node('each', 'forEach', 'running'),
      progress: { total: 3, completed: 1, failed: 0, cancelled: 0, running: 2 },
      body: {
        nodes: [node('item', 'item', 'completed'), node('work', 'action', 'failed')],
        edges: [{ from: 'item', port: null, to: 'work', status: 'taken' }],
      },
    },
    node('no', 'action', 'skipped'),
  ],
  edges: [
    { from: 'trigger', port: null, to: 'ask', status: 'taken' },
    { from: 'ask', port: 'approved', to: 'each', status: 'taken' },
    { from: 'ask', port: 'rejected', to: 'no', status: 'skipped' },
  ],
};

test('an execution has the state of each node and edge, those of the chosen iteration included', () => {
  const model = modelOf(GRAPH, new Map([['ask', 'role:oncall']]));
  expect(model.nodes.find((each) => each.key === 'ask')?.detail).toBe('role:oncall');
  const states = nodeStates(GRAPH, []);
  expect(states.get('each/work')?.status).toBe('failed');
  expect([...edgeStates(GRAPH, model)]).toEqual([
    ['trigger:→ask', 'taken'],
    ['ask:approved→each', 'taken'],
    ['ask:rejected→no', 'skipped'],
    ['each/item:→each/work', 'taken'],
  ]);
});

test('what is live says more than the graph that was read before', () => {
  const row = {
    nodeId: 'each',
    name: 'each',
    type: 'forEach',
    status: 'completed',
    startedAt: 'a',
    finishedAt: 'b',
  } as NodeRow;
  expect(nodeStates(GRAPH, [row]).get('each')?.status).toBe('completed');
});

test('a state that says what it said stays the same object, and so does the map', () => {
  const before = nodeStates(GRAPH, []);
  expect(kept(before, nodeStates(GRAPH, []))).toBe(before);
  const after = kept(
    before,
    nodeStates({ ...GRAPH, nodes: [node('trigger', 'trigger', 'running'), ...GRAPH.nodes.slice(1)] }, []),
  );
  expect(after).not.toBe(before);
  expect(after.get('ask')).toBe(before.get('ask'));
});

test('iterations are found by their paths, inner ones within the outer one that is chosen', () => {
  expect(itemPath('each', 3, null)).toBe('each[3]');
  expect(itemPath('outer/each', 0, null)).toBeNull();
  expect(itemPath('outer/each', 0, 'outer[1]')).toBe('outer[1].each[0]');
  expect(chosenIndex('outer', 'outer[1].each[0]')).toBe(1);
  expect(chosenIndex('outer/each', 'outer[1].each[0]')).toBe(0);
  expect(chosenIndex('other', 'outer[1]')).toBeNull();
});

test('a node is said in words', () => {
  const model = modelOf(GRAPH, new Map());
  const each = model.nodes.find((one) => one.key === 'each');
  expect(each && nodeWords(each, nodeStates(GRAPH, []).get('each'))).toBe('each, for each, running, 1 of 3');
});
