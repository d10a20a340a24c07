/** The graph of a workflow document: also of one that is being written and is not valid yet, as far as it can be drawn. */
import { type EdgeSource, type GraphModel, graphOf, type LevelSource, type NodeSource } from './model';

type Fields = Readonly<Record<string, unknown>>;

export function graphOfDocument(document: unknown): GraphModel {
  return graphOf(levelOf(document));
}

function levelOf(value: unknown): LevelSource {
  const { nodes, edges } = fields(value);
  return {
    nodes: list(nodes).flatMap((each): NodeSource[] => {
      const node = fields(each);
      if (typeof node.id !== 'string' || node.id === '') return [];
      const type = text(node.type) ?? '';
      return [
        {
          id: node.id,
          type,
          name: text(node.name),
          detail: detailOf(type, node),
          cases: list(node.cases),
          body: type === 'forEach' ? levelOf(node.body) : null,
        },
      ];
    }),
    edges: list(edges).flatMap((each): EdgeSource[] => {
      const { from, port, to } = fields(each);
      return typeof from === 'string' && typeof to === 'string' ? [{ from, port: text(port), to }] : [];
    }),
  };
}

/** What tells this node from others of its type. */
function detailOf(type: string, node: Fields): string | null {
  switch (type) {
    case 'action':
      return text(node.action);
    case 'condition':
    case 'switch':
      return text(node.expression);
    case 'approval':
      return list(node.approvers).map(String).join(', ') || 'anyone who may execute';
    case 'delay':
      return typeof node.seconds === 'number' ? `${node.seconds} s` : text(node.until);
    case 'join':
      return node.mode === 'count' ? `${String(node.count ?? '')} of its branches` : (text(node.mode) ?? 'all');
    case 'forEach':
      return Array.isArray(node.items) ? `${node.items.length} items` : text(node.items);
    case 'subworkflow':
      return text(node.workflow);
    case 'setVariables':
      return Object.keys(fields(node.values)).join(', ') || null;
    default:
      return null;
  }
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : typeof value === 'boolean' ? String(value) : null;
}
