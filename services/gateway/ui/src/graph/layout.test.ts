import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { graphOfDocument } from './document';
import { directionFor, type Layout, layoutOf, neighbour, type PlacedNode } from './layout';
import { closesCircle, graphOf } from './model';

const OPTIONS = { direction: 'right', folded: new Set<string>(), allPorts: false, withStates: true } as const;

const DOCUMENT = {
  nodes: [
    { id: 'check', type: 'action', action: 'ssh.executeCommand', name: 'Check disk' },
    { id: 'full', type: 'condition', expression: 'nodes.check.output.exitCode == 0' },
    { id: 'clean', type: 'action', action: 'ssh.executeScript' },
    {
      id: 'each',
      type: 'forEach',
      items: 'inputs.hosts',
      body: {
        nodes: [
          { id: 'look', type: 'action', action: 'script.bash' },
          { id: 'install', type: 'action', action: 'script.bash' },
        ],
        edges: [
          { from: 'item', to: 'look' },
          { from: 'look', to: 'install' },
        ],
      },
    },
    { id: 'tell', type: 'action', action: 'slack.sendMessage' },
  ],
  edges: [
    { from: 'trigger', to: 'check' },
    { from: 'check', to: 'full' },
    { from: 'check', port: 'error', to: 'tell' },
    { from: 'full', port: 'true', to: 'clean' },
    { from: 'full', port: 'false', to: 'tell' },
    { from: 'clean', to: 'each' },
    { from: 'each', to: 'tell' },
  ],
};

function chain(length: number) {
  const ids = Array.from({ length }, (_, index) => `n${index}`);
  return graphOf({
    nodes: ids.map((id) => ({ id, type: 'action' })),
    edges: ids.map((id, index) => ({ from: index === 0 ? 'trigger' : `n${index - 1}`, to: id })),
  });
}

function placed({ nodes }: Layout, key: string): PlacedNode {
  const found = nodes.find((each) => each.node.key === key);
  if (!found) throw new Error(`${key} is not there`);
  return found;
}

function overlap(one: PlacedNode, other: PlacedNode): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

const SOURCES = ['../../../../../examples', '../editor/templates'].map((each) => join(import.meta.dirname, each));
const WORKFLOWS = SOURCES.flatMap((source) =>
  readdirSync(source)
    .filter((name) => name.endsWith('.yaml'))
    .map((name): [string, unknown] => [name, parse(readFileSync(join(source, name), 'utf8'))]),
);
/** Points along the path, so near to each other that no node is between two of them. */
function along(path: string): [number, number][] {
  const parts = [...path.matchAll(/([MLC])([^MLC]+)/g)].map(
    ([, letter, text]) =>
      [letter, [...(text ?? '').matchAll(/(-?[\d.]+),(-?[\d.]+)/g)].map(([, x, y]) => [+(x ?? 0), +(y ?? 0)])] as const,
  );
  const points: [number, number][] = [];
  let from = [0, 0];
  for (const [letter, given] of parts) {
    const to = given.at(-1) ?? from;
    const [one, other] = letter === 'C' ? [given[0] ?? from, given[1] ?? to] : [from, to];
    for (let step = letter === 'M' ? 40 : 0; step <= 40; step++) {
      const t = step / 40;
      const at = (axis: 0 | 1) =>
        (1 - t) ** 3 * (from[axis] ?? 0) +
        3 * (1 - t) ** 2 * t * (one[axis] ?? 0) +
        3 * (1 - t) * t ** 2 * (other[axis] ?? 0) +
        t ** 3 * (to[axis] ?? 0);
      points.push([at(0), at(1)]);
    }
    from = to;
  }
  return points;
}

describe('a layout', () => {
  test.each(WORKFLOWS)('leads no edge through a node: %s', (_, document) => {
    for (const direction of ['right', 'down'] as const) {
      const layout = layoutOf(graphOfDocument(document), { ...OPTIONS, direction });
      for (const edge of layout.edges) {
        const around = [edge.from, edge.to];
        for (const { node, x, y, width, height, depth } of layout.nodes) {
          // what is around both of them, or one of them
          if (depth < edge.depth || around.some((key) => key === node.key || node.key.startsWith(`${key}/`))) continue;
          const within = along(edge.path).find(
            ([px, py]) => px > x + 1 && px < x + width - 1 && py > y + 1 && py < y + height - 1,
          );
          expect(within, `${edge.key} runs through ${node.key} (${direction})`).toBeUndefined();
        }
      }
    }
  });

  test('is the same for the same graph', () => {
    expect(layoutOf(graphOfDocument(DOCUMENT), OPTIONS)).toEqual(layoutOf(graphOfDocument(DOCUMENT), OPTIONS));
  });

  test.each(['right', 'down'] as const)(
    'puts each node behind those that lead to it, and none on another (%s)',
    (direction) => {
      const layout = layoutOf(graphOfDocument(DOCUMENT), { ...OPTIONS, direction });
      for (const edge of layout.edges) {
        const [from, to] = [placed(layout, edge.from), placed(layout, edge.to)];
        expect(direction === 'right' ? from.x + from.width < to.x : from.y + from.height < to.y, edge.key).toBe(true);
      }
      const outside = layout.nodes.filter((each) => each.depth === 0);
      for (const one of outside)
        for (const other of outside)
          expect(one !== other && overlap(one, other), `${one.node.key} ${other.node.key}`).toBe(false);
    },
  );

  test('draws the body of a forEach within it, and only its head when it is folded', () => {
    const unfolded = layoutOf(graphOfDocument(DOCUMENT), OPTIONS);
    const each = placed(unfolded, 'each');
    for (const key of ['each/item', 'each/look', 'each/install']) {
      const inner = placed(unfolded, key);
      expect(inner.depth).toBe(1);
      expect(inner.x).toBeGreaterThan(each.x);
      expect(inner.y).toBeGreaterThan(each.y);
      expect(inner.x + inner.width).toBeLessThan(each.x + each.width);
      expect(inner.y + inner.height).toBeLessThan(each.y + each.height);
    }
    const folded = layoutOf(graphOfDocument(DOCUMENT), { ...OPTIONS, folded: new Set(['each']) });
    expect(folded.nodes.map((node) => node.node.key)).not.toContain('each/look');
    expect(folded.width).toBeLessThan(unfolded.width);
  });

  test('leads an edge past nodes, not through them', () => {
    const model = graphOf({
      nodes: ['a', 'b', 'c', 'd'].map((id) => ({ id, type: 'action' })),
      edges: [
        { from: 'trigger', to: 'a' },
        { from: 'a', to: 'b' },
        { from: 'b', to: 'c' },
        { from: 'c', to: 'd' },
        { from: 'a', port: 'error', to: 'd' },
      ],
    });
    const layout = layoutOf(model, OPTIONS);
    const error = layout.edges.find((edge) => edge.port === 'error');
    const points = [...(error?.path ?? '').matchAll(/(-?[\d.]+),(-?[\d.]+)/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ]);
    for (const key of ['b', 'c']) {
      const node = placed(layout, key);
      for (const [x = 0, y = 0] of points)
        expect(x > node.x && x < node.x + node.width && y > node.y && y < node.y + node.height).toBe(false);
      // straight along the whole rank
      const y = points.find(([x]) => x === node.x)?.[1];
      expect(y).toBeDefined();
      expect(points).toContainEqual([node.x + node.width, y]);
    }
  });

  test('names a port where it tells something: not success alone', () => {
    const layout = layoutOf(graphOfDocument(DOCUMENT), OPTIONS);
    const labels = (key: string) =>
      placed(layout, key)
        .ports.filter((each) => each.labelled)
        .map((each) => each.port);
    expect(labels('check').sort()).toEqual(['error', 'success']);
    expect(labels('full').sort()).toEqual(['false', 'true']);
    expect(labels('clean')).toEqual([]);
    expect(labels('trigger')).toEqual([]);
  });

  test('goes downwards where there is no room beside, and where a long chain could not be read otherwise', () => {
    const model = graphOfDocument(DOCUMENT);
    expect(directionFor(model, OPTIONS, 340, 400)).toBe('down');
    expect(directionFor(model, OPTIONS, 1200, 400)).toBe('right');
    expect(directionFor(chain(12), OPTIONS, 700, 1400)).toBe('down');
  });

  test('of 300 nodes takes a moment', () => {
    const started = performance.now();
    layoutOf(chain(300), OPTIONS);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test('lets arrow keys go to what lies there', () => {
    const layout = layoutOf(chain(3), OPTIONS);
    expect(neighbour(layout, 'trigger', 'right')).toBe('n0');
    expect(neighbour(layout, 'n0', 'left')).toBe('trigger');
    expect(neighbour(layout, 'n2', 'right')).toBe('n2');
    expect(neighbour(layout, 'n1', 'down')).toBe('n1');
  });
});

describe('a graph', () => {
  test('of a document that is not finished is drawn as far as it goes', () => {
    const model = graphOfDocument({
      nodes: [{ id: 'a', type: 'action' }, { id: 'a', type: 'delay' }, { type: 'action' }, 'nonsense', null],
      edges: [{ from: 'trigger', to: 'a' }, { from: 'a', to: 'nowhere' }, { from: 'a', to: 'a' }, { from: 'a' }, 7],
    });
    expect(model.nodes.map((node) => node.key)).toEqual(['trigger', 'a']);
    expect(model.edges.map((edge) => edge.key)).toEqual(['trigger:→a']);
    expect(graphOfDocument('nonsense').nodes.map((node) => node.key)).toEqual(['trigger']);
    expect(layoutOf(graphOfDocument(null), OPTIONS).nodes).toHaveLength(1);
  });

  test('has the first port of a node where an edge names none, and every case of a switch', () => {
    const model = graphOf({
      nodes: [
        { id: 's', type: 'switch', cases: ['high', 3] },
        { id: 'a', type: 'approval' },
        { id: 'p', type: 'parallel' },
      ],
      edges: [
        { from: 'trigger', to: 's' },
        { from: 's', to: 'a' },
        { from: 'a', to: 'p' },
        { from: 'p', port: 'left', to: 'q' },
      ],
    });
    expect(model.nodes.find((node) => node.id === 's')?.ports).toEqual(['high', '3', 'default']);
    expect(model.edges.map((edge) => edge.port)).toEqual([null, 'high', 'approved']);
  });

  test('has no circles: an edge that would close one is known', () => {
    const model = chain(3);
    expect(closesCircle(model, 'n2', 'n0')).toBe(true);
    expect(closesCircle(model, 'n0', 'n2')).toBe(false);
    expect(closesCircle(model, 'n0', 'n0')).toBe(true);
  });
});

test.each(['right', 'down'] as const)('nodes beside each other stand in the order of the document, %s', (direction) => {
  const hosts = Array.from({ length: 6 }, (_, index) => `host${index}`);
  const level = graphOf({
    nodes: [...hosts.map((id) => ({ id, type: 'action' })), { id: 'done', type: 'join' }],
    edges: hosts.flatMap((id) => [
      { from: 'trigger', to: id },
      { from: id, to: 'done' },
    ]),
  });
  const layout = layoutOf(level, { ...OPTIONS, direction });
  const across = hosts.map((id) => placed(layout, id)[direction === 'right' ? 'y' : 'x']);
  expect(across).toEqual(across.toSorted((one, other) => one - other));
});
