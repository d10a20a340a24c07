/** What is said of a node to whoever cannot see the graph. */
import { NODE } from '@/theme/status';
import type { GraphNode } from './model';
import { lookOf } from './nodeTypes';
import type { NodeState } from './props';

/** `Restart, action, completed`. */
export function nodeWords(node: GraphNode, state: NodeState | undefined, problems = 0): string {
  const words = [node.name, lookOf(node.type).label.toLowerCase()];
  if (state?.status) words.push(NODE[state.status].label.toLowerCase());
  if (state?.progress) words.push(progressWords(state.progress));
  if (problems > 0) words.push(problems === 1 ? '1 problem' : `${problems} problems`);
  return words.join(', ');
}

/** `7 of 12, 1 failed`. */
export function progressWords({ total, completed, failed, cancelled }: NonNullable<NodeState['progress']>): string {
  const others = [failed > 0 ? `${failed} failed` : '', cancelled > 0 ? `${cancelled} cancelled` : ''].filter(Boolean);
  return [`${completed + failed + cancelled} of ${total}`, ...others].join(', ');
}
