import type { WorkflowGraphProps } from './props';

export function WorkflowGraph({ label }: WorkflowGraphProps) {
  return <section aria-label={label} />;
}
