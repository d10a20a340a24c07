/** What the graph and the form do to a workflow, as changes of its text. */
import { aroundOf, type Connection, type GraphModel, idOf, portsOf } from '@/graph';
import { parsed, type Step, valueAt } from './text/parsed';
import { withItem, withoutItem, withValue } from './text/splice';
import { withSwapped } from './text/swap';

export interface NodeValue {
  id: string;
  type: string;
  [field: string]: unknown;
}

interface EdgeValue {
  from: string;
  port?: string;
  to: string;
}

/** Where the map with the nodes and edges around a node is. */
export function levelPath(value: unknown, around: string | null): Step[] | null {
  let path: Step[] = [];
  for (const id of around === null ? [] : around.split('/')) {
    const at = nodesAt(value, path).findIndex((node) => node.id === id);
    if (at < 0) return null;
    path = [...path, 'nodes', at, 'body'];
  }
  return path;
}

export function nodePath(value: unknown, key: string): Step[] | null {
  const level = levelPath(value, aroundOf(key));
  if (level === null) return null;
  const at = nodesAt(value, level).findIndex((node) => node.id === idOf(key));
  return at < 0 ? null : [...level, 'nodes', at];
}

export function nodesAt(value: unknown, level: readonly Step[]): NodeValue[] {
  return records(valueAt(value, [...level, 'nodes'])) as NodeValue[];
}

export function edgesAt(value: unknown, level: readonly Step[]): EdgeValue[] {
  return records(valueAt(value, [...level, 'edges'])) as unknown as EdgeValue[];
}

/** In lists that are being written anything may stand; what is no object keeps its place. */
function records(value: unknown): Record<string, unknown>[] {
  if (!Array.isArray(value)) return [];
  return value.map((each) => (typeof each === 'object' && each !== null ? (each as Record<string, unknown>) : {}));
}

/** Every id in the document: each is to be one of its own. */
export function allIds(value: unknown): Set<string> {
  const ids = new Set<string>(['trigger', 'item']);
  const walk = (level: unknown) => {
    for (const node of records(valueAt(level, ['nodes']))) {
      if (typeof node.id === 'string') ids.add(node.id);
      if (node.body) walk(node.body);
    }
  };
  walk(value);
  return ids;
}

export function freeId(value: unknown, wanted: string): string {
  const ids = allIds(value);
  const base = wanted.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(\d)/, '_$1') || 'node';
  if (!ids.has(base)) return base;
  for (let count = 2; ; count += 1) if (!ids.has(`${base}${count}`)) return `${base}${count}`;
}

/** For a webhook: its own among the triggers. */
export function freeWebhookId(value: unknown): string {
  const ids = new Set(records(valueAt(value, ['triggers'])).map((trigger) => trigger.id));
  for (let count = 1; ; count += 1) {
    const id = count === 1 ? 'monitoring' : `monitoring${count}`;
    if (!ids.has(id)) return id;
  }
}

/** Behind `after` in the list of its level, or at the end. */
export function addNode(text: string, around: string | null, node: NodeValue, after?: string): string {
  const { value } = parsed(text);
  const level = levelPath(value, around);
  if (level === null) return text;
  const nodes = nodesAt(value, level);
  const at = nodes.findIndex((each) => each.id === after);
  return withItem(text, [...level, 'nodes'], at < 0 ? nodes.length : at + 1, node);
}

export function addAfter(text: string, from: string, port: string | null, node: NodeValue): string {
  const around = aroundOf(from);
  const key = around === null ? node.id : `${around}/${node.id}`;
  return connect(addNode(text, around, node, idOf(from)), { from, port, to: key });
}

/** Between the two ends of an edge, which then leads to it. */
export function addInto(text: string, model: GraphModel, edgeKey: string, node: NodeValue): string {
  const found = placeOfEdge(text, model, edgeKey);
  if (found === null) return text;
  const { level, index, edge } = found;
  let now = addNode(text, found.around, node, edge.from);
  now = withValue(now, [...level, 'edges', index, 'to'], node.id);
  return withItem(now, [...level, 'edges'], index + 1, { from: node.id, to: edge.to }, true);
}

/** With every edge from or to it. */
export function removeNode(text: string, key: string): string {
  const { value } = parsed(text);
  const path = nodePath(value, key);
  const level = levelPath(value, aroundOf(key));
  if (path === null || level === null) return text;
  const id = idOf(key);
  let now = text;
  const edges = edgesAt(value, level);
  for (let at = edges.length - 1; at >= 0; at -= 1)
    if (edges[at]?.from === id || edges[at]?.to === id) now = withoutItem(now, [...level, 'edges'], at);
  return withoutItem(now, [...level, 'nodes'], Number(path[path.length - 1]));
}

export function connect(text: string, { from, port, to }: Connection): string {
  const { value } = parsed(text);
  const level = levelPath(value, aroundOf(from));
  if (level === null) return text;
  const edges = edgesAt(value, level);
  const source = nodesAt(value, level).find((node) => node.id === idOf(from));
  const first = source === undefined ? null : portsOf(String(source.type), listOf(source.cases))[0];
  const takesAll = source === undefined || source.type === 'parallel';
  const named = port !== null && (takesAll || port !== first || (first !== 'out' && first !== 'success'));
  const edge: EdgeValue = named ? { from: idOf(from), port, to: idOf(to) } : { from: idOf(from), to: idOf(to) };
  const last = edges.findLastIndex((each) => each.from === edge.from);
  return withItem(text, [...level, 'edges'], last < 0 ? edges.length : last + 1, edge, true);
}

export function disconnect(text: string, model: GraphModel, edgeKey: string): string {
  const found = placeOfEdge(text, model, edgeKey);
  return found === null ? text : withoutItem(text, [...found.level, 'edges'], found.index);
}

/** Two edges of one node change places: what leaves it at once begins in this order. */
export function swapEdges(text: string, model: GraphModel, one: string, other: string): string {
  const [first, second] = [placeOfEdge(text, model, one), placeOfEdge(text, model, other)];
  if (first === null || second === null) return text;
  return withSwapped(text, [...first.level, 'edges'], first.index, second.index);
}

/** The id in the node and in all edges. What expressions say of it is left: see `mentions`. */
export function renameId(text: string, key: string, id: string): string {
  const { value } = parsed(text);
  const path = nodePath(value, key);
  const level = levelPath(value, aroundOf(key));
  if (path === null || level === null) return text;
  const old = idOf(key);
  let now = withValue(text, [...path, 'id'], id);
  edgesAt(value, level).forEach((edge, at) => {
    for (const end of ['from', 'to'] as const)
      if (edge[end] === old) now = withValue(now, [...level, 'edges', at, end], id);
  });
  return now;
}

/** How many lines have an expression or a template that names it: `nodes.check`, `inputs.host`. */
export function mentions(text: string, name: string): number {
  const named = new RegExp(`\\b${name.replace(/[^\w]/g, '\\$&')}\\b`);
  return text.split('\n').filter((line) => named.test(line)).length;
}

export function setField(text: string, key: string, field: string, value: unknown): string {
  const path = nodePath(parsed(text).value, key);
  if (path === null) return text;
  return withValue(text, [...path, field], value, field === 'name' ? 'type' : undefined);
}

interface EdgePlace {
  around: string | null;
  level: Step[];
  index: number;
  edge: EdgeValue;
}

/** Edges that cannot be drawn are in the text and not in the model, so ends and port are compared, and the count of equal ones. */
function placeOfEdge(text: string, model: GraphModel, edgeKey: string): EdgePlace | null {
  const { value } = parsed(text);
  const search = (graph: GraphModel, around: string | null): EdgePlace | null => {
    const drawn = graph.edges.find((edge) => edge.key === edgeKey);
    const level = levelPath(value, around);
    if (drawn && level) {
      const twin = (each: { from: string; port: string | null; to: string }) =>
        each.from === drawn.from && each.port === drawn.port && each.to === drawn.to;
      let skip = graph.edges.slice(0, graph.edges.indexOf(drawn)).filter(twin).length;
      const edges = edgesAt(value, level);
      for (const [index, edge] of edges.entries()) {
        const source = graph.nodes.find((node) => node.id === edge.from);
        const takesAll = source === undefined || ['trigger', 'item', 'parallel'].includes(source.type);
        const port = edge.port === undefined ? (takesAll ? null : (source.ports[0] ?? null)) : String(edge.port);
        const same = edge.from === idOf(drawn.from) && edge.to === idOf(drawn.to) && port === drawn.port;
        if (same && skip === 0) return { around, level, index, edge };
        if (same) skip -= 1;
      }
      return null;
    }
    for (const node of graph.nodes) {
      const found = node.body ? search(node.body, node.key) : null;
      if (found) return found;
    }
    return null;
  };
  return search(model, null);
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
