/** What is selected in the graph, as a form: a node, an edge, or the workflow itself. Every change is a change of the text. */
import type { GraphModel } from '@/graph';
import { find } from '../AddMenu';
import { OfEdge } from './OfEdge';
import { OfNode } from './OfNode';
import { OfWorkflow } from './OfWorkflow';
import type { FormProps } from './props';

export function NodeForm(props: FormProps) {
  const { model, selected } = props;
  const node = selected === null ? null : find(model, selected);
  if (node && node.type !== 'trigger' && node.type !== 'item') return <OfNode key={node.key} {...props} node={node} />;
  const edge = selected === null ? null : edgeIn(model, selected);
  if (edge) return <OfEdge key={edge.edge.key} {...props} level={edge.level} edge={edge.edge} />;
  return <OfWorkflow {...props} />;
}

function edgeIn(model: GraphModel, key: string): { level: GraphModel; edge: GraphModel['edges'][number] } | null {
  const edge = model.edges.find((each) => each.key === key);
  if (edge) return { level: model, edge };
  for (const node of model.nodes) {
    const found = node.body ? edgeIn(node.body, key) : null;
    if (found) return found;
  }
  return null;
}
