/** Where in the text what the syntax tree knows of is written, line by line, with the comments that speak of it. */
import { isMap, isSeq, type Node, type Pair } from 'yaml';

export function pairEnd(text: string, pair: Pair<Node, Node | null>): number {
  const key = pair.key.range?.[1] ?? 0;
  if (pair.value?.range && pair.value.range[1] > key) return contentEnd(text, pair.value);
  const colon = text.indexOf(':', key);
  return colon < 0 ? key : colon + 1;
}

/** Where what is written of it ends: without the line breaks and comments behind it. */
export function contentEnd(text: string, node: Node): number {
  if (isMap(node) && !node.flow && node.items.length > 0)
    return pairEnd(text, node.items[node.items.length - 1] as Pair<Node, Node | null>);
  if (isSeq(node) && !node.flow && node.items.length > 0)
    return contentEnd(text, node.items[node.items.length - 1] as Node);
  let end = node.range?.[1] ?? 0;
  while (end > 0 && /\s/.test(text[end - 1] ?? '')) end -= 1;
  return Math.max(end, node.range?.[0] ?? 0);
}

export function dashOf(text: string, item: Node): number | null {
  const start = item.range?.[0] ?? 0;
  const dash = text.lastIndexOf('-', start - 1);
  return dash >= 0 && text.slice(dash + 1, start).trim() === '' ? dash : null;
}

export function lineStart(text: string, at: number): number {
  return text.lastIndexOf('\n', at - 1) + 1;
}

export function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

export function nextLine(text: string, at: number): number {
  return Math.min(lineEnd(text, at) + 1, text.length);
}

export function replaced(text: string, from: number, to: number, by: string): string {
  return text.slice(0, from) + by + text.slice(to);
}

/** The beginning of the comments right above a line, in its column: they speak of what is there. */
export function commentsAbove(text: string, line: number, column: number): number {
  let from = line;
  while (from > 0) {
    const above = lineStart(text, from - 1);
    const each = text.slice(above, from);
    if (!each.trimStart().startsWith('#') || each.search(/\S/) !== column) break;
    from = above;
  }
  return from;
}

/** The end of the comments right below, further in than the column: they belong to what is above them. */
export function commentsBelow(text: string, line: number, column: number): number {
  let to = line;
  while (to < text.length) {
    const below = nextLine(text, to);
    const each = text.slice(to, below);
    if (!each.trimStart().startsWith('#') || each.search(/\S/) <= column) break;
    to = below;
  }
  return to;
}
