/** Two members of a list or of a map change places, each with its comments; what is between them stays. */
import { isMap, isSeq, type Node, type Pair } from 'yaml';
import { nodeAt, parsed, type Step, same, valueAt } from './parsed';
import { CannotEdit, checked, isRecord, setIn } from './splice';
import { commentsAbove, commentsBelow, contentEnd, dashOf, lineStart, nextLine, pairEnd } from './written';

/** `one` stands before `other`; of a map by the order of its keys. */
export function withSwapped(text: string, path: readonly Step[], one: number, other: number): string {
  const { document, value: whole, problem } = parsed(text);
  if (problem) throw new CannotEdit('The text is not YAML at the moment; mend that first.');
  const before = valueAt(whole, path);
  const after = swapped(before, one, other);
  if (after === null) return text;
  return checked(
    text,
    setIn(whole, path, after),
    () => {
      const now = spliceSwap(text, nodeAt(document, path), one, other);
      return now !== null && inOrder(valueAt(parsed(now).value, path), after) ? now : null;
    },
    (tree) => {
      const collection = path.length === 0 ? tree.contents : tree.getIn(path);
      if (isSeq(collection) || isMap(collection)) exchange(collection.items as unknown[], one, other);
    },
  );
}

function swapped(value: unknown, one: number, other: number): unknown {
  const items: unknown[] | null = Array.isArray(value) ? [...value] : isRecord(value) ? Object.entries(value) : null;
  if (items === null || one < 0 || one >= other || other >= items.length) return null;
  exchange(items, one, other);
  return Array.isArray(value) ? items : Object.fromEntries(items as [string, unknown][]);
}

function exchange(items: unknown[], one: number, other: number): void {
  [items[one], items[other]] = [items[other], items[one]];
}

/** Maps are the same in any order; here it is the order that was wanted. */
function inOrder(value: unknown, wanted: unknown): boolean {
  if (!same(value, wanted)) return false;
  const keys = Object.keys(wanted as object);
  return Object.keys(value as object).every((key, at) => key === keys[at]);
}

function spliceSwap(text: string, collection: Node | undefined, one: number, other: number): string | null {
  if (!isMap(collection) && !isSeq(collection)) return null;
  const ended = collection.flow || text.endsWith('\n') ? text : `${text}\n`;
  const ranges = [one, other].map((at) => {
    const item = collection.items[at];
    return isMap(collection)
      ? ofPair(ended, item as Pair<Node, Node | null>, collection.flow)
      : ofItem(ended, item as Node, collection.flow);
  });
  const [first, second] = ranges;
  if (!first || !second || first[1] > second[0]) return null;
  const [a, b] = [ended.slice(...first), ended.slice(...second)];
  const now = ended.slice(0, first[0]) + b + ended.slice(first[1], second[0]) + a + ended.slice(second[1]);
  return ended === text ? now : now.slice(0, -1);
}

type Range = [number, number];

function ofPair(text: string, pair: Pair<Node, Node | null>, flow: boolean | undefined): Range | null {
  const start = pair.key.range?.[0];
  if (start === undefined) return null;
  return flow ? [start, pairEnd(text, pair)] : linesFrom(text, start, pairEnd(text, pair));
}

function ofItem(text: string, item: Node, flow: boolean | undefined): Range | null {
  if (!item.range) return null;
  if (flow) return [item.range[0], contentEnd(text, item)];
  const dash = dashOf(text, item);
  return dash === null ? null : linesFrom(text, dash, contentEnd(text, item));
}

function linesFrom(text: string, start: number, end: number): Range | null {
  const line = lineStart(text, start);
  const column = start - line;
  if (text.slice(line, start).trim() !== '') return null;
  return [commentsAbove(text, line, column), commentsBelow(text, nextLine(text, end), column)];
}
