import { expect, test } from 'vitest';
import type { AgentRow, ExecutionRow, WorkflowRow } from '@/api/types';
import { isUsed, progressOf } from './progress';

const agent = (status: AgentRow['status']) => ({ name: 'a', status }) as AgentRow;
const workflow = (publishedVersion: number | null, active = true) =>
  ({ workflowId: 'w', publishedVersion, active }) as WorkflowRow;
const execution = (status: ExecutionRow['status']) => ({ executionId: 'e', status }) as ExecutionRow;

test('the next step is the first that is not done', () => {
  expect(progressOf({ agents: [], workflows: [], executions: [] }).current).toBe('agent');
  const online = [agent('new'), agent('online')];
  expect(progressOf({ agents: online, workflows: [], executions: [] }).current).toBe('workflow');
  expect(progressOf({ agents: online, workflows: [workflow(1)], executions: [] }).current).toBe('run');
  const running = progressOf({ agents: online, workflows: [workflow(1)], executions: [execution('running')] });
  expect(running.current).toBe('watch');
  expect(
    progressOf({ agents: online, workflows: [workflow(1)], executions: [execution('failed')] }).current,
  ).toBeNull();
});

test('an agent that has not come and a workflow that cannot run are not enough', () => {
  const seen = progressOf({ agents: [agent('new')], workflows: [workflow(null), workflow(1, false)], executions: [] });
  expect(seen.done.size).toBe(0);
  expect(seen.awaited?.status).toBe('new');
});

test('whoever comes to an installation that is in use sees no first steps', () => {
  expect(isUsed([], false)).toBe(false);
  expect(isUsed([execution('running')], false)).toBe(false);
  expect(isUsed([execution('completed')], false)).toBe(true);
  expect(isUsed([execution('completed')], true)).toBe(false);
  expect(
    isUsed(
      Array.from({ length: 5 }, () => execution('completed')),
      true,
    ),
  ).toBe(true);
});
