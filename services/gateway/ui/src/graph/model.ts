/**
 * What a graph shows, whether of a document that is written or of a version that ran: nodes with their ports, edges, and the
 * bodies of forEach nodes. Plain values; the layout and the drawing know nothing of where they come from.
 */

/** The implicit sources: of a workflow, and of the body of a forEach. */
export const TRIGGER = 'trigger';
export const ITEM = 'item';

export interface GraphNode {
  /** Unique in all of the graph: the id, within a body with those of the nodes around it: `each/look`. */
  key: string;
  id: string;
  type: string;
  name: string;
  /** The type of an action, the expression of a condition, … in a few characters. */
  detail: string | null;
  /** In the order in which they are shown. Of a parallel node those that its edges name. */
  ports: readonly string[];
  /** Of a forEach. */
  body: GraphModel | null;
}

export interface GraphEdge {
  /** `from:port→to`, unique; the same again for a second edge between the same ends has `#2`. */
  key: string;
  /** Keys of nodes of the same level. */
  from: string;
  /** One of the ports of `from`; null: taken whenever its node completes. */
  port: string | null;
  to: string;
}

export interface GraphModel {
  nodes: readonly GraphNode[];
  edges: readonly GraphEdge[];
}

/** What the model is built from: documents as they are published, and as they are being written. */
export interface NodeSource {
  id: string;
  type: string;
  name?: string | null;
  detail?: string | null;
  cases?: readonly unknown[];
  body?: LevelSource | null;
}

export interface EdgeSource {
  from: string;
  port?: string | null;
  to: string;
}

export interface LevelSource {
  nodes: readonly NodeSource[];
  edges: readonly EdgeSource[];
}

const PORTS: Readonly<Record<string, readonly string[]>> = {
  action: ['success', 'error'],
  condition: ['true', 'false'],
  approval: ['approved', 'rejected'],
  forEach: ['success', 'error'],
  subworkflow: ['success', 'error'],
};
/** Of these every edge is taken, whatever its port is called. */
const TAKES_ALL: ReadonlySet<string> = new Set(['trigger', 'item', 'parallel']);

/** The ports that a node of this type has by itself. */
export function portsOf(type: string, cases: readonly unknown[] = []): readonly string[] {
  if (type === 'switch') return [...new Set(cases.map(String)), 'default'];
  return PORTS[type] ?? ['out'];
}

/** The ids in a key, from the outside in. */
export function pathOf(key: string): string[] {
  return key.split('/');
}

export function idOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** The key of the forEach around a node; null on the level of the workflow. */
export function aroundOf(key: string): string | null {
  const end = key.lastIndexOf('/');
  return end < 0 ? null : key.slice(0, end);
}

/** Leaves out what cannot be drawn: a second node with an id, an edge from or to a node that is not there. */
export function graphOf({ nodes, edges }: LevelSource, around: string | null = null): GraphModel {
  const keyOf = (id: string) => (around === null ? id : `${around}/${id}`);
  const source = around === null ? TRIGGER : ITEM;
  const listed: NodeSource[] = nodes.some((node) => node.id === source)
    ? [...nodes]
    : [{ id: source, type: source, name: around === null ? 'Trigger' : 'Item' }, ...nodes];
  const byId = new Map<string, NodeSource>();
  for (const node of listed) if (!byId.has(node.id)) byId.set(node.id, node);

  const drawn: GraphEdge[] = [];
  const used = new Map<string, string[]>();
  const times = new Map<string, number>();
  for (const edge of edges) {
    const from = byId.get(edge.from);
    if (from === undefined || !byId.has(edge.to) || edge.from === edge.to) continue;
    const port = edge.port ?? (TAKES_ALL.has(from.type) ? null : (portsOf(from.type, from.cases)[0] ?? null));
    const name = `${keyOf(edge.from)}:${port ?? ''}→${keyOf(edge.to)}`;
    const time = (times.get(name) ?? 0) + 1;
    times.set(name, time);
    drawn.push({ key: time === 1 ? name : `${name}#${time}`, from: keyOf(edge.from), port, to: keyOf(edge.to) });
    if (port !== null) used.set(edge.from, [...(used.get(edge.from) ?? []), port]);
  }
  return {
    nodes: [...byId.values()].map((node) => ({
      key: keyOf(node.id),
      id: node.id,
      type: node.type,
      name: node.name || node.id,
      detail: node.detail || null,
      ports: portsShown(node, used.get(node.id) ?? []),
      body: node.body ? graphOf(node.body, keyOf(node.id)) : null,
    })),
    edges: drawn,
  };
}

/** Its own ports, and those that its edges name besides: of a parallel node, or by mistake. */
function portsShown(node: NodeSource, named: readonly string[]): readonly string[] {
  const own = TAKES_ALL.has(node.type) ? [] : portsOf(node.type, node.cases);
  return [...new Set([...own, ...named])];
}

/** Every node, those of bodies behind the one they belong to. */
export function allNodes(model: GraphModel): GraphNode[] {
  return model.nodes.flatMap((node) => [node, ...(node.body ? allNodes(node.body) : [])]);
}

/** Whether an edge from the one to the other would close a circle; both of one level. */
export function closesCircle({ edges }: GraphModel, from: string, to: string): boolean {
  const seen = new Set<string>();
  const open = [to];
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (key === from) return true;
    if (seen.has(key)) continue;
    seen.add(key);
    for (const edge of edges) if (edge.from === key) open.push(edge.to);
  }
  return false;
}
