/** How far a new installation has come, by what is there: an agent, a workflow, an execution, its end. */
import type { AgentRow, ExecutionRow, WorkflowRow } from '@/api/types';
import { isActive } from '@/theme/status';

export type StepId = 'agent' | 'workflow' | 'run' | 'watch';
export const STEPS: readonly StepId[] = ['agent', 'workflow', 'run', 'watch'];

export interface Seen {
  agents: readonly AgentRow[];
  workflows: readonly WorkflowRow[];
  /** Newest first. */
  executions: readonly ExecutionRow[];
}

export interface Progress {
  done: ReadonlySet<StepId>;
  /** What comes next; null: nothing. */
  current: StepId | null;
  /** One that is online. */
  agent: AgentRow | null;
  /** One that has been made, and has not come yet or has gone. */
  awaited: AgentRow | null;
  /** One that can be run. */
  workflow: WorkflowRow | null;
  execution: ExecutionRow | null;
}

export function progressOf({ agents, workflows, executions }: Seen): Progress {
  const agent = agents.find((each) => each.status === 'online') ?? null;
  const awaited = agents.find((each) => each.status === 'new' || each.status === 'offline') ?? null;
  const workflow = workflows.find((each) => each.active && each.publishedVersion !== null) ?? null;
  const execution = executions[0] ?? null;
  const done = new Set<StepId>();
  if (agent !== null) done.add('agent');
  if (workflow !== null) done.add('workflow');
  if (execution !== null) done.add('run');
  if (executions.some((each) => !isActive(each.status))) done.add('watch');
  return { done, current: STEPS.find((each) => !done.has(each)) ?? null, agent, awaited, workflow, execution };
}

/** More than somebody starts who tries it out: such an installation needs no first steps. */
export const TRIED = 5;

/** Whether the first steps are over before anybody has seen them here. */
export function isUsed(executions: readonly ExecutionRow[], begun: boolean): boolean {
  if (executions.length >= TRIED) return true;
  return !begun && executions.some((each) => !isActive(each.status));
}
