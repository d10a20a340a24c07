/**
 * Where everything of a graph goes: nodes in ranks by dagre, bodies of forEach nodes laid out first and then placed as one large
 * node (edges never cross the border of a body), edges as curves that bend only between the ranks and run straight past nodes.
 * The same model gives the same layout, whatever runs in it: a node never moves because its state changes.
 */
import { layout as dagre, Graph } from '@dagrejs/dagre';
import type { GraphModel, GraphNode } from './model';

export type Direction = 'right' | 'down';

export interface Options {
  direction: Direction;
  /** Keys of forEach nodes whose bodies are not shown. */
  folded: ReadonlySet<string>;
  /** Show ports that no edge leaves too, for edges to be drawn from. */
  allPorts: boolean;
  /** Room for a line with the state. */
  withStates: boolean;
}

export interface PlacedPort {
  port: string | null;
  /** Where on the side that edges leave: from its beginning. */
  at: number;
  labelled: boolean;
}

export interface PlacedNode {
  node: GraphNode;
  x: number;
  y: number;
  width: number;
  height: number;
  ports: readonly PlacedPort[];
  /** How many bodies it is in. */
  depth: number;
  /** A forEach whose body is drawn within it. */
  unfolded: boolean;
}

export interface PlacedEdge {
  key: string;
  from: string;
  port: string | null;
  to: string;
  /** An SVG path. */
  path: string;
  /** In the first bend: for a button. */
  middle: Point;
  /** Where it arrives. */
  end: Point;
  depth: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface Layout {
  direction: Direction;
  /** Behind the last nodes, for the ports that lead nowhere yet. */
  open: number;
  width: number;
  height: number;
  nodes: readonly PlacedNode[];
  edges: readonly PlacedEdge[];
}

export const NODE_WIDTH = 224;
const LINE = 18;
const NODE_PADDING = 18;
const SOURCE_WIDTH = 132;
const PORT_ROOM = { right: 22, down: 84 };
const BETWEEN_RANKS = { right: 76, down: 60 };
const BETWEEN_NODES = 28;
/** Of an unfolded body: around it, and above it for the name and the progress. */
const BODY = { side: 20, head: 60 };
/** Behind the last nodes of a body, for the names of ports that lead nowhere yet. */
const OPEN_PORTS = { right: 84, down: 40 };

export function layoutOf(model: GraphModel, options: Options): Layout {
  const level = placeLevel(model, options, 0);
  const open = options.allPorts ? OPEN_PORTS[options.direction] : 0;
  const right = options.direction === 'right';
  return {
    ...level,
    direction: options.direction,
    open,
    width: level.width + (right ? open : 0),
    height: level.height + (right ? 0 : open),
  };
}

/**
 * The direction in which more of the graph can be read in this room. Rightwards where both will do: names are wide, and so are
 * screens.
 */
export function directionFor(
  model: GraphModel,
  options: Omit<Options, 'direction'>,
  width: number,
  height: number,
): Direction {
  if (width < 560) return 'down';
  const scale = (direction: Direction) => {
    const { width: w, height: h } = layoutOf(model, { ...options, direction });
    return Math.min(width / w, height / h, 1);
  };
  return scale('down') > scale('right') * 1.6 ? 'down' : 'right';
}

interface Level {
  width: number;
  height: number;
  nodes: PlacedNode[];
  edges: PlacedEdge[];
}

interface Box {
  node: GraphNode;
  body: Level | null;
  width: number;
  height: number;
  ports: (string | null)[];
}

function placeLevel(model: GraphModel, options: Options, depth: number): Level {
  const right = options.direction === 'right';
  const boxes = new Map(model.nodes.map((node) => [node.key, boxOf(node, model, options, depth)]));
  const graph = new Graph({ multigraph: true });
  graph.setGraph({
    rankdir: right ? 'LR' : 'TB',
    ranksep: BETWEEN_RANKS[options.direction],
    nodesep: BETWEEN_NODES,
    edgesep: 16,
  });
  for (const [key, { width, height }] of boxes) graph.setNode(key, { width, height });
  for (const edge of model.edges) {
    const first = boxes.get(edge.from)?.node.ports[0] ?? null;
    // what usually happens goes straight
    graph.setEdge(edge.from, edge.to, { weight: edge.port === null || edge.port === first ? 3 : 1 }, edge.key);
  }
  dagre(graph);
  if (isUpsideDown(model, graph, right)) mirror(model, graph, right);

  const corner = { x: Number.POSITIVE_INFINITY, y: Number.POSITIVE_INFINITY };
  const centres = new Map<string, Point>();
  for (const [key, { width, height }] of boxes) {
    const { x, y } = graph.node(key) as Point;
    centres.set(key, { x, y });
    corner.x = Math.min(corner.x, x - width / 2);
    corner.y = Math.min(corner.y, y - height / 2);
  }
  // an edge may run outside of all nodes
  for (const edge of model.edges)
    for (const { x, y } of passedBy(graph, edge)) {
      corner.x = Math.min(corner.x, x);
      corner.y = Math.min(corner.y, y);
    }
  const moved = ({ x, y }: Point): Point => ({ x: round(x - corner.x), y: round(y - corner.y) });
  const centreOf = (key: string) => moved(centres.get(key) ?? corner);

  const level: Level = { width: 0, height: 0, nodes: [], edges: [] };
  const placed = new Map<string, PlacedNode>();
  const columns = columnsOf(boxes, centreOf, right);
  for (const [key, box] of boxes) {
    const centre = centreOf(key);
    const begin = round(columnAt(columns, right ? centre.x : centre.y)?.from ?? 0);
    const x = right ? begin : round(centre.x - box.width / 2);
    const y = right ? round(centre.y - box.height / 2) : begin;
    const node: PlacedNode = {
      node: box.node,
      x,
      y,
      width: box.width,
      height: box.height,
      ports: placePorts(box, model, options, centreOf),
      depth,
      unfolded: box.body !== null,
    };
    placed.set(key, node);
    level.nodes.push(node);
    level.width = Math.max(level.width, x + box.width);
    level.height = Math.max(level.height, y + box.height);
    if (box.body) {
      const dx = x + BODY.side;
      const dy = y + BODY.head;
      level.nodes.push(...box.body.nodes.map((inner) => ({ ...inner, x: inner.x + dx, y: inner.y + dy })));
      level.edges.push(...box.body.edges.map((inner) => shifted(inner, dx, dy)));
    }
  }

  for (const edge of model.edges) {
    const from = placed.get(edge.from);
    const to = placed.get(edge.to);
    if (!from || !to) continue;
    const port = from.ports.find((each) => each.port === edge.port) ?? from.ports[0];
    const start = leave(from, port?.at ?? 0, right);
    const end = enter(to, right);
    const passed = [centreOf(edge.from), ...passedBy(graph, edge).map(moved)];
    const { path, middle, reach } = curve(start, end, passed, columns, right);
    level.edges.push({ key: edge.key, from: edge.from, port: edge.port, to: edge.to, path, middle, end, depth });
    level.width = Math.max(level.width, reach.x);
    level.height = Math.max(level.height, reach.y);
  }
  return level;
}

/** Where dagre has kept room for it, between its ends. */
function passedBy(graph: Graph, { from, to, key }: GraphModel['edges'][number]): Point[] {
  return (graph.edge(from, to, key) as { points: Point[] }).points.slice(1, -1);
}

/** Whether most nodes of one rank stand in the opposite order to that of the document: it makes no other difference to dagre. */
function isUpsideDown({ nodes }: GraphModel, graph: Graph, right: boolean): boolean {
  const [along, across] = right ? (['x', 'y'] as const) : (['y', 'x'] as const);
  const last = new Map<number, number>();
  let order = 0;
  for (const { key } of nodes) {
    const place = graph.node(key) as Point;
    const other = last.get(place[along]);
    if (other !== undefined) order += Math.sign(place[across] - other);
    last.set(place[along], place[across]);
  }
  return order < 0;
}

function mirror({ nodes, edges }: GraphModel, graph: Graph, right: boolean): void {
  const turn = (point: Point) => {
    if (right) point.y = -point.y;
    else point.x = -point.x;
  };
  for (const { key } of nodes) turn(graph.node(key) as Point);
  for (const { from, to, key } of edges) (graph.edge(from, to, key) as { points: Point[] }).points.forEach(turn);
}

function boxOf(node: GraphNode, model: GraphModel, options: Options, depth: number): Box {
  const connected = new Set(model.edges.filter((edge) => edge.from === node.key).map((edge) => edge.port));
  const ports: (string | null)[] = node.ports.filter((port) => options.allPorts || connected.has(port));
  if (connected.has(null) || ports.length === 0) ports.push(null);
  const source = node.type === 'trigger' || node.type === 'item';
  const lines = source ? 1 : options.withStates ? 3 : 2;
  const right = options.direction === 'right';
  let width = source ? SOURCE_WIDTH : NODE_WIDTH;
  let height = lines * LINE + NODE_PADDING;
  const body = node.body && !options.folded.has(node.key) ? placeLevel(node.body, options, depth + 1) : null;
  if (body) {
    const open = options.allPorts ? OPEN_PORTS[options.direction] : 0;
    width = Math.max(width, body.width + 2 * BODY.side + (right ? open : 0));
    height = BODY.head + body.height + BODY.side + (right ? 0 : open);
  }
  if (right) height = Math.max(height, ports.length * PORT_ROOM.right + 8);
  else width = Math.max(width, ports.length * PORT_ROOM.down);
  return { node, body, width: round(width), height: round(height), ports };
}

/** Ports in the order of what they lead to, so that edges of one node do not cross; those that lead nowhere keep their place. */
function placePorts(
  { node, ports, width, height }: Box,
  { edges }: GraphModel,
  { direction }: Options,
  centreOf: (key: string) => Point,
): PlacedPort[] {
  const right = direction === 'right';
  const across = (port: string | null) => {
    const targets = edges
      .filter((edge) => edge.from === node.key && edge.port === port)
      .map((edge) => centreOf(edge.to));
    if (targets.length === 0) return null;
    return targets.reduce((sum, target) => sum + (right ? target.y : target.x), 0) / targets.length;
  };
  const connected = ports.flatMap((port) => {
    const place = across(port);
    return place === null ? [] : [{ port, place }];
  });
  connected.sort((one, other) => one.place - other.place || ports.indexOf(one.port) - ports.indexOf(other.port));
  const ordered = ports.map((port) => (across(port) === null ? port : (connected.shift()?.port ?? null)));
  const side = right ? height : width;
  const room = Math.min(side / ports.length, PORT_ROOM[direction]);
  const begin = side / 2 - (room * ports.length) / 2;
  const first = node.ports[0] ?? null;
  return ordered.map((port, index) => ({
    port,
    at: round(begin + room * (index + 0.5)),
    // `success` alone says nothing; `error` alone does
    labelled: port !== null && (ports.length > 1 || port !== first),
  }));
}

function leave({ x, y, width, height }: PlacedNode, at: number, right: boolean): Point {
  return right ? { x: x + width, y: y + at } : { x: x + at, y: y + height };
}

function enter({ x, y, width, height }: PlacedNode, right: boolean): Point {
  return right ? { x, y: y + height / 2 } : { x: x + width / 2, y };
}

/** The nodes of a rank, whose centres dagre puts in one line: they begin together, and reach as far as the largest. */
interface Column {
  centre: number;
  from: number;
  to: number;
}

function columnsOf(boxes: ReadonlyMap<string, Box>, centreOf: (key: string) => Point, right: boolean): Column[] {
  const columns: Column[] = [];
  for (const [key, { width, height }] of boxes) {
    const [centre, size] = right ? [centreOf(key).x, width] : [centreOf(key).y, height];
    const column = columnAt(columns, centre);
    if (column === undefined) columns.push({ centre, from: centre - size / 2, to: centre + size / 2 });
    else {
      column.from = Math.min(column.from, centre - size / 2);
      column.to = Math.max(column.to, centre + size / 2);
    }
  }
  return columns;
}

function columnAt(columns: readonly Column[], centre: number): Column | undefined {
  return columns.find((each) => Math.abs(each.centre - centre) < 2);
}

/**
 * Straight along each rank that it passes, at the places that dagre kept free for it, and bent in between. `passed` begins with the
 * centre of the node that it leaves: beside a larger node of its rank it runs straight, too.
 */
function curve(
  start: Point,
  finish: Point,
  [own, ...passed]: readonly Point[],
  columns: readonly Column[],
  right: boolean,
) {
  const turn = ({ x, y }: Point): [number, number] => (right ? [x, y] : [y, x]);
  const back = (along: number, across: number): Point => (right ? { x: along, y: across } : { x: across, y: along });
  const text = (along: number, across: number) => {
    const { x, y } = back(along, across);
    return `${round(x)},${round(y)}`;
  };
  const first = turn(start);
  const stops: [number, number][] = [first];
  const rank = own && columnAt(columns, turn(own)[0]);
  if (rank && rank.to > first[0] + 1) stops.push([rank.to, first[1]]);
  for (const point of passed) {
    const [along, across] = turn(point);
    const column = columnAt(columns, along);
    if (column) stops.push([column.from, across], [column.to, across]);
  }
  stops.push(turn(finish));
  let path = `M${text(...first)}`;
  let reach = back(0, 0);
  let middle: Point | null = null;
  for (let index = 1; index < stops.length; index++) {
    const [fromAlong, fromAcross] = stops[index - 1] as [number, number];
    const [along, across] = stops[index] as [number, number];
    const half = (fromAlong + along) / 2;
    const straight = Math.abs(across - fromAcross) < 0.5;
    path += straight
      ? `L${text(along, across)}`
      : `C${text(half, fromAcross)} ${text(half, across)} ${text(along, across)}`;
    const reached = back(along, across);
    reach = { x: Math.max(reach.x, reached.x), y: Math.max(reach.y, reached.y) };
    // between the first two ranks
    if (middle === null && (index > 1 || rank === undefined || rank.to <= first[0] + 1))
      middle = back(round(half), round((fromAcross + across) / 2));
  }
  return { path, reach, middle: middle ?? start };
}

function shifted(edge: PlacedEdge, dx: number, dy: number): PlacedEdge {
  return {
    ...edge,
    path: edge.path.replace(/(-?[\d.]+),(-?[\d.]+)/g, (_, x, y) => `${round(Number(x) + dx)},${round(Number(y) + dy)}`),
    middle: { x: edge.middle.x + dx, y: edge.middle.y + dy },
    end: { x: edge.end.x + dx, y: edge.end.y + dy },
  };
}

function round(value: number): number {
  return Math.round(value * 2) / 2;
}

/** The node to go to with an arrow key: the nearest in that direction; the same one if there is none. */
export function neighbour({ nodes }: Layout, key: string, arrow: 'left' | 'right' | 'up' | 'down'): string {
  const from = nodes.find((each) => each.node.key === key);
  if (!from) return key;
  const centre = (each: PlacedNode) => ({
    x: each.x + Math.min(each.width, NODE_WIDTH) / 2,
    y: each.unfolded ? each.y + BODY.head / 2 : each.y + each.height / 2,
  });
  const here = centre(from);
  const [sign, sideways] = { left: [-1, false], right: [1, false], up: [-1, true], down: [1, true] }[arrow] as [
    number,
    boolean,
  ];
  let best = key;
  let least = Number.POSITIVE_INFINITY;
  for (const each of nodes) {
    const there = centre(each);
    const along = sign * (sideways ? there.y - here.y : there.x - here.x);
    const aside = Math.abs(sideways ? there.x - here.x : there.y - here.y);
    // within an angle of about 60°
    if (each === from || along < 4 || aside > along * 1.8 + 8) continue;
    const distance = along + 2 * aside;
    if (distance < least) {
      least = distance;
      best = each.node.key;
    }
  }
  return best;
}
