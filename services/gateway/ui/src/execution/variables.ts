/** What templates and conditions of an execution can read, by root, as it stands (R16). Pure. */
import type { ExecutionFacts } from './facts';

export interface Variables {
  inputs: Record<string, unknown>;
  /** What nodes of type setVariables have set. */
  vars: Record<string, unknown>;
}

/** The API gives both in one: a variable with the name of an input hides it. */
export function variablesOf(facts: ExecutionFacts): Variables {
  const all = (facts.variables ?? {}) as Record<string, unknown>;
  const set = new Set<string>();
  for (const node of facts.nodes) {
    if (node.type === 'setVariables' && node.status === 'completed' && node.output !== null) {
      for (const name of Object.keys(node.output as object)) set.add(name);
    }
  }
  const inputs: Record<string, unknown> = {};
  const vars: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(all)) (set.has(name) ? vars : inputs)[name] = value;
  return { inputs, vars };
}
