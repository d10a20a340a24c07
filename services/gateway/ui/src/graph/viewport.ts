import type { Layout, PlacedNode, Point } from './layout';

export interface View extends Point {
  zoom: number;
}

const MARGIN = 20;
/** Smaller than this nobody can read: then a part is shown. */
const LEGIBLE = 0.62;
/** Of a part that is shown. */
const SMALLEST = 0.75;
const LARGEST = 0.9;

/** Everything, if it can be read then. */
export function isLegible(layout: Layout, width: number, height: number): boolean {
  return scaleToFit(layout, width, height) >= LEGIBLE;
}

function scaleToFit(layout: Layout, width: number, height: number): number {
  return Math.min((width - 2 * MARGIN) / layout.width, (height - 2 * MARGIN) / layout.height, 1);
}

/** All of it, however small. */
export function viewOfAll(layout: Layout, width: number, height: number): View {
  const zoom = Math.max(scaleToFit(layout, width, height), 0.05);
  return { x: (width - layout.width * zoom) / 2, y: (height - layout.height * zoom) / 2, zoom };
}

/** What is shown at first: everything if it can be read then, else what is around `focus`. */
export function firstView(layout: Layout, width: number, height: number, focus: PlacedNode | undefined): View {
  if (focus === undefined || isLegible(layout, width, height)) return viewOfAll(layout, width, height);
  const across =
    layout.direction === 'right' ? (height - 2 * MARGIN) / layout.height : (width - 2 * MARGIN) / layout.width;
  const zoom = Math.min(LARGEST, Math.max(across, SMALLEST));
  const x = focus.x + Math.min(focus.width, 320) / 2;
  const y = focus.y + Math.min(focus.height, 120) / 2;
  return {
    x: within(width / 2 - x * zoom, width, layout.width * zoom),
    y: within(height / 2 - y * zoom, height, layout.height * zoom),
    zoom,
  };
}

/** No empty room where there is more of the graph to show. */
function within(wanted: number, room: number, size: number): number {
  if (size + 2 * MARGIN <= room) return (room - size) / 2;
  return Math.min(MARGIN, Math.max(room - size - MARGIN, wanted));
}

/** Whether the node (its head, if it is large) can be seen without moving, and what can be added behind it. */
export function isInView(
  node: PlacedNode,
  { direction, open }: Pick<Layout, 'direction' | 'open'>,
  { x, y, zoom }: View,
  width: number,
  height: number,
): boolean {
  const right = direction === 'right';
  const left = node.x * zoom + x;
  const top = node.y * zoom + y;
  return (
    left >= 0 &&
    top >= 0 &&
    left + (Math.min(node.width, 320) + (right ? open : 0)) * zoom <= width &&
    top + (Math.min(node.height, 120) + (right ? 0 : open)) * zoom <= height
  );
}

/** A whole node at least: not the empty room where one was. */
export function showsSomething(layout: Layout, view: View, width: number, height: number): boolean {
  return layout.nodes.some((node) => isInView(node, { ...layout, open: 0 }, view, width, height));
}
