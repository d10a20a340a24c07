/**
 * Changes of a document's text that leave everything else as it was written: comments, order, blank lines, quotes. The syntax tree
 * says where, and only that piece of text is replaced. Whether the new text means what was wanted is looked at each time; if not
 * (anchors, unusual layouts), the tree is changed and written as a whole, which keeps comments but not the layout.
 */
import { type Document, isMap, isSeq, type Node, type Pair, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml';
import { keyOf, nodeAt, parsed, type Step, same, valueAt } from './parsed';
import { inline, itemLines, pairLines } from './render';
import { commentsAbove, contentEnd, dashOf, lineEnd, lineStart, nextLine, pairEnd, replaced } from './written';

/** The text cannot be changed in this way; its message is for whoever wanted it. */
export class CannotEdit extends Error {}

/** Sets the value there, or takes it out if it is undefined; what is around it is made if it is not there. */
export function withValue(text: string, path: readonly Step[], given: unknown, after?: string): string {
  const value = plain(given);
  const { document, value: whole, problem } = parsed(text);
  if (problem) throw new CannotEdit('The text is not YAML at the moment; mend that first.');
  const before = valueAt(whole, path);
  if (same(before, value)) return text;
  if (path.length > 0 && valueAt(whole, path.slice(0, -1)) == null) {
    if (value === undefined) return text;
    const last = path[path.length - 1];
    return withValue(text, path.slice(0, -1), typeof last === 'number' ? [value] : { [String(last)]: value });
  }
  const parts = isRecord(before) && isRecord(value) ? partsOf(before, value) : listParts(before, value);
  const there = nodeAt(document, path);
  if (parts !== null && (isMap(there) || isSeq(there))) {
    return parts.reduce((now, [step, part]) => withPart(now, [...path, step], part), text);
  }
  const expected = setIn(whole, path, value);
  return checked(
    text,
    expected,
    () => unfolded(text, path, value, expected) ?? spliceValue(text, path, value, after),
    (tree) => {
      if (value === undefined) tree.deleteIn(path);
      else tree.setIn(path, tree.createNode(value));
    },
  );
}

function withPart(text: string, path: readonly Step[], part: unknown): string {
  const last = path[path.length - 1];
  if (part === undefined && typeof last === 'number') return withoutItem(text, path.slice(0, -1), last);
  const list = valueAt(parsed(text).value, path.slice(0, -1));
  if (typeof last === 'number' && Array.isArray(list) && last === list.length)
    return withItem(text, path.slice(0, -1), last, part);
  return withValue(text, path, part);
}

/** Puts an item into a list; the list is made if it is not there. */
export function withItem(text: string, path: readonly Step[], index: number, given: unknown, flow = false): string {
  const item = plain(given);
  const { value: whole, problem, document } = parsed(text);
  if (problem) throw new CannotEdit('The text is not YAML at the moment; mend that first.');
  const list = valueAt(whole, path);
  if (list != null && !Array.isArray(list)) throw new CannotEdit(`${path.join('.')} is not a list.`);
  const at = Math.min(index, list?.length ?? 0);
  const expected = setIn(whole, path, [...(list ?? []).slice(0, at), item, ...(list ?? []).slice(at)]);
  return checked(
    text,
    expected,
    () => {
      const seq = nodeAt(document, path);
      if (!isSeq(seq) || seq.items.length === 0) {
        const indent = columnOf(text, path, document);
        if (indent === null || !flow) return spliceValue(text, path, [item]);
        return spliceBlockList(text, path, item);
      }
      return spliceItem(text, seq as YAMLSeq.Parsed, at, item, flow);
    },
    (tree) => {
      const seq = tree.getIn(path);
      if (isSeq(seq)) seq.items.splice(at, 0, tree.createNode(item));
      else tree.setIn(path, tree.createNode([item]));
    },
  );
}

export function withoutItem(text: string, path: readonly Step[], index: number): string {
  const { value: whole, problem, document } = parsed(text);
  if (problem) throw new CannotEdit('The text is not YAML at the moment; mend that first.');
  const list = valueAt(whole, path);
  if (!Array.isArray(list) || index >= list.length) return text;
  const expected = setIn(whole, path, [...list.slice(0, index), ...list.slice(index + 1)]);
  return checked(
    text,
    expected,
    () => {
      const seq = nodeAt(document, path);
      if (!isSeq(seq)) return null;
      if (list.length === 1) return spliceValue(text, path, []);
      return cutItem(text, seq as YAMLSeq.Parsed, index);
    },
    (tree) => tree.deleteIn([...path, index]),
  );
}

/** Another name for a member of a map, in its place. */
export function withKey(text: string, path: readonly Step[], key: string): string {
  const { document, value: whole, problem } = parsed(text);
  if (problem) throw new CannotEdit('The text is not YAML at the moment; mend that first.');
  const before = String(path[path.length - 1]);
  const around = path.slice(0, -1);
  const members = valueAt(whole, around);
  if (!isRecord(members) || !(before in members) || before === key) return text;
  if (key in members) throw new CannotEdit(`There is a ${key} already.`);
  const expected = setIn(
    whole,
    around,
    Object.fromEntries(Object.entries(members).map(([name, value]) => [name === before ? key : name, value])),
  );
  return checked(
    text,
    expected,
    () => {
      const range = pairAt(document, around, before)?.key.range;
      return range ? replaced(text, range[0], range[1], inline(key)) : null;
    },
    (tree) => tree.setIn(around, tree.createNode(valueAt(expected, around))),
  );
}

type Tree = Pick<Document, 'contents' | 'deleteIn' | 'setIn' | 'getIn' | 'createNode' | 'toString'>;

export function checked(
  text: string,
  expected: unknown,
  splice: () => string | null,
  change: (tree: Tree) => void,
): string {
  if (isJson(text)) return `${JSON.stringify(expected, null, 2)}\n`;
  const spliced = splice();
  if (spliced !== null && means(spliced, expected)) return spliced;
  const tree = parseDocument(text);
  change(tree);
  const written = tree.toString({ lineWidth: 0, flowCollectionPadding: false });
  if (!means(written, expected)) throw new CannotEdit('This part of the text can be changed only in the text itself.');
  return written;
}

function means(text: string, expected: unknown): boolean {
  const { value, problem } = parsed(text);
  return problem === null && same(value, expected);
}

export function isJson(text: string): boolean {
  if (!text.trimStart().startsWith('{')) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// --- where it is written

function spliceValue(text: string, path: readonly Step[], value: unknown, after?: string): string | null {
  const { document } = parsed(text);
  const last = path[path.length - 1];
  if (last === undefined) return null;
  const parent = nodeAt(document, path.slice(0, -1));
  if (isSeq(parent)) {
    const item = parent.items[Number(last)] as Node | undefined;
    if (!item?.range || value === undefined) return null;
    return replaced(text, item.range[0], contentEnd(text, item), inline(value));
  }
  if (!isMap(parent)) return null;
  const map = parent as YAMLMap.Parsed;
  const at = map.items.findIndex((pair) => keyOf(pair.key) === String(last));
  if (value === undefined) return at < 0 ? text : cutPair(text, map, at, path);
  return at < 0 ? addPair(text, map, String(last), value, path, after) : replacePair(text, map, at, value);
}

const LONG = 110;

/** What is written on one line and would get a text of several lines, or too long to be read, is written over several from then on. */
function unfolded(text: string, path: readonly Step[], value: unknown, expected: unknown): string | null {
  const { document } = parsed(text);
  const length = path.findIndex((_, at) => {
    const node = nodeAt(document, path.slice(0, at));
    return (isMap(node) || isSeq(node)) && node.flow === true;
  });
  if (length < 1) return null;
  const outermost = path.slice(0, length);
  const node = nodeAt(document, outermost);
  const around = nodeAt(document, outermost.slice(0, -1));
  if (!node?.range) return null;
  const [from, to] = node.range;
  const grown = to - lineStart(text, from) + String(inline(value)).length;
  const severalLines = typeof value === 'string' && value.trimEnd().includes('\n');
  if (value === undefined || text.slice(from, to).includes('\n') || (!severalLines && grown < LONG)) return null;
  const key = isSeq(around) ? null : pairAt(document, outermost.slice(0, -1), String(outermost[length - 1]))?.key;
  const start = key ? key.range?.[0] : dashOf(text, node);
  if (start === null || start === undefined) return null;
  const column = start - lineStart(text, start);
  const whole = valueAt(expected, outermost);
  const lines = key ? pairLines(keyOf(key), whole, column) : itemLines(whole, column, false);
  // what is said behind it would become a part of it
  const end = lineEnd(text, to);
  const comment = text.slice(to, end).trim();
  return replaced(text, start, end, comment === '' ? lines : `${comment}\n${' '.repeat(column)}${lines}`);
}

function replacePair(text: string, map: YAMLMap.Parsed, at: number, value: unknown): string | null {
  const pair = map.items[at] as Pair<Node, Node | null>;
  const start = pair.key.range?.[0];
  if (start === undefined) return null;
  const end = pairEnd(text, pair);
  const key = text.slice(start, pair.key.range?.[1]);
  if (map.flow) return replaced(text, start, end, `${key}: ${inline(value)}`);
  const lines = pairLines(keyOf(pair.key), value, start - lineStart(text, start));
  return replaced(text, start, end, key + lines.slice(lines.indexOf(':', renderedKeyLength(lines))));
}

/** A key that had to be quoted may hold a colon. */
function renderedKeyLength(lines: string): number {
  const quote = lines[0];
  return quote === '"' || quote === "'" ? lines.indexOf(quote, 1) : 0;
}

function addPair(
  text: string,
  map: YAMLMap.Parsed,
  key: string,
  value: unknown,
  path: readonly Step[],
  after: string | undefined,
): string | null {
  const wanted = after === undefined ? -1 : map.items.findIndex((pair) => keyOf(pair.key) === after);
  const before = map.items[wanted < 0 ? map.items.length - 1 : wanted] as Pair<Node, Node | null> | undefined;
  if (before === undefined) {
    if (path.length < 2) return `${pairLines(key, value, 0)}\n`;
    return spliceValue(text, path.slice(0, -1), { [key]: value });
  }
  const end = pairEnd(text, before);
  const keyText = inline(key);
  if (map.flow) return replaced(text, end, end, `, ${keyText}: ${inline(value)}`);
  const start = before.key.range?.[0];
  if (start === undefined) return null;
  const indent = start - lineStart(text, start);
  const place = lineEnd(text, end);
  const onOneLine = isMap(before.value) && before.value.flow === true && isRecord(value) && isShort(value);
  const lines = onOneLine ? `${keyText}: ${inline(value)}` : pairLines(key, value, indent);
  return replaced(text, place, place, `\n${' '.repeat(indent)}${lines}`);
}

function cutPair(text: string, map: YAMLMap.Parsed, at: number, path: readonly Step[]): string | null {
  const pair = map.items[at] as Pair<Node, Node | null>;
  const start = pair.key.range?.[0];
  if (start === undefined) return null;
  if (map.items.length === 1) return path.length < 2 ? null : spliceValue(text, path.slice(0, -1), {});
  const next = map.items[at + 1]?.key.range?.[0];
  if (map.flow) {
    if (next !== undefined) return replaced(text, start, next, '');
    return replaced(text, pairEnd(text, map.items[at - 1] as Pair<Node, Node | null>), pairEnd(text, pair), '');
  }
  const line = lineStart(text, start);
  // behind a dash: the next pair takes its place
  if (text.slice(line, start).trim() !== '') return next === undefined ? null : replaced(text, start, next, '');
  return replaced(text, line, nextLine(text, pairEnd(text, pair)), '');
}

function spliceItem(text: string, seq: YAMLSeq.Parsed, at: number, item: unknown, flow: boolean): string | null {
  const before = seq.items[at - 1] as Node | undefined;
  const neighbour = before ?? (seq.items[at] as Node);
  if (!neighbour.range) return null;
  if (seq.flow) {
    if (before) {
      const end = contentEnd(text, before);
      return replaced(text, end, end, `, ${inline(item)}`);
    }
    return replaced(text, neighbour.range[0], neighbour.range[0], `${inline(item)}, `);
  }
  const dash = dashOf(text, neighbour);
  if (dash === null) return null;
  const indent = dash - lineStart(text, dash);
  const pad = ' '.repeat(indent);
  const onOneLine = flow || (isMap(neighbour) && neighbour.flow === true && isShort(item));
  const lines = itemLines(item, indent, onOneLine);
  if (before === undefined) return replaced(text, dash, dash, `${lines}\n${pad}`);
  const place = lineEnd(text, contentEnd(text, before));
  return replaced(text, place, place, `${isSpaced(text, seq, at) && !onOneLine ? '\n' : ''}\n${pad}${lines}`);
}

/** A list that was not there, one item in it on one line. */
function spliceBlockList(text: string, path: readonly Step[], item: unknown): string | null {
  const made = spliceValue(text, path, [{ place: 'taken' }]);
  if (made === null) return null;
  return made.replace(/- place: taken|\{place: taken\}/, (found) =>
    found[0] === '-' ? `- ${inline(item)}` : inline(item),
  );
}

function cutItem(text: string, seq: YAMLSeq.Parsed, index: number): string | null {
  const item = seq.items[index] as Node;
  if (!item.range) return null;
  if (seq.flow) {
    const next = (seq.items[index + 1] as Node | undefined)?.range?.[0];
    if (next !== undefined) return replaced(text, item.range[0], next, '');
    return replaced(text, contentEnd(text, seq.items[index - 1] as Node), contentEnd(text, item), '');
  }
  const dash = dashOf(text, item);
  if (dash === null) return null;
  const line = lineStart(text, dash);
  if (text.slice(line, dash).trim() !== '') return null;
  const from = commentsAbove(text, line, dash - line);
  let to = nextLine(text, contentEnd(text, item));
  if (/\n[ \t]*\n$/.test(text.slice(0, from)) && /^[ \t]*\n/.test(text.slice(to))) to = nextLine(text, to);
  return replaced(text, from, to, '');
}

function pairAt(document: Document, path: readonly Step[], key: string): Pair<Node, Node | null> | undefined {
  const map = nodeAt(document, path);
  if (!isMap(map)) return undefined;
  return (map as YAMLMap.Parsed).items.find((pair) => keyOf(pair.key) === key) as Pair<Node, Node | null> | undefined;
}

function columnOf(text: string, path: readonly Step[], document: Document): number | null {
  const parent = nodeAt(document, path.slice(0, -1));
  if (!isMap(parent) || parent.flow || !parent.range) return null;
  return parent.range[0] - lineStart(text, parent.range[0]);
}

/** Whether there are empty lines between the items around it. */
function isSpaced(text: string, seq: YAMLSeq.Parsed, at: number): boolean {
  const gap = (one: Node | undefined, other: Node | undefined) =>
    one?.range && other?.range && /\n[ \t]*\n/.test(text.slice(contentEnd(text, one), other.range[0]));
  const items = seq.items as Node[];
  return Boolean(gap(items[at - 1], items[at]) || gap(items[at - 2], items[at - 1]));
}

// --- values

/** Without members that are undefined. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isShort(item: unknown): boolean {
  const text = JSON.stringify(item);
  return text.length < 100 && !text.includes('\\n');
}

/** What to change within a map, so that its other members stay as they are written; null to write it anew. */
function partsOf(before: Record<string, unknown>, after: Record<string, unknown>): [Step, unknown][] | null {
  if (Object.keys(before).length === 0 || Object.keys(after).length === 0) return null;
  const gone = Object.keys(before).filter((key) => after[key] === undefined);
  if (gone.length === Object.keys(before).length) return null;
  const changed = Object.entries(after).filter(([key, each]) => each !== undefined && !same(each, before[key]));
  return [...changed, ...gone.map((key): [Step, unknown] => [key, undefined])];
}

function listParts(before: unknown, after: unknown): [Step, unknown][] | null {
  if (!Array.isArray(before) || !Array.isArray(after) || before.length === 0 || after.length === 0) return null;
  const parts: [Step, unknown][] = [];
  for (let at = 0; at < after.length; at += 1) if (!same(before[at], after[at])) parts.push([at, after[at]]);
  for (let at = before.length - 1; at >= after.length; at -= 1) parts.push([at, undefined]);
  return parts;
}

export function setIn(whole: unknown, path: readonly Step[], value: unknown): unknown {
  const [step, ...others] = path;
  if (step === undefined) return value;
  if (Array.isArray(whole)) return whole.map((each, at) => (at === Number(step) ? setIn(each, others, value) : each));
  const record = isRecord(whole) ? whole : {};
  const inner = setIn(record[String(step)], others, value);
  if (inner !== undefined) return { ...record, [String(step)]: inner };
  return Object.fromEntries(Object.entries(record).filter(([key]) => key !== String(step)));
}
