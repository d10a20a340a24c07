/** A document as it is being written: its value, and where it stops being YAML. */
import { type Document, isMap, isNode, isPair, isSeq, type Node, parseDocument } from 'yaml';

export type Step = string | number;

export interface ParseProblem {
  message: string;
  from: number;
  to: number;
}

export interface Parsed {
  text: string;
  document: Document.Parsed;
  /** Of a text that is no YAML: of what could be read of it. */
  value: unknown;
  problem: ParseProblem | null;
}

export function parsed(text: string): Parsed {
  const document = parseDocument(text, { keepSourceTokens: true, prettyErrors: false });
  const error = document.errors[0];
  if (error) {
    const [from, to] = error.pos;
    return { text, document, value: null, problem: { message: error.message, from, to: Math.max(to, from) } };
  }
  try {
    return { text, document, value: document.toJS(), problem: null };
  } catch (trouble) {
    // an alias without its anchor is found only now
    const message = trouble instanceof Error ? trouble.message : String(trouble);
    return { text, document, value: null, problem: { message, from: 0, to: 0 } };
  }
}

/** The node of the syntax tree there; undefined if there is none. */
export function nodeAt(document: Document, path: readonly Step[]): Node | undefined {
  let at: unknown = document.contents;
  for (const step of path) {
    if (isMap(at)) at = at.items.find((pair) => keyOf(pair.key) === String(step))?.value;
    else if (isSeq(at)) at = at.items[Number(step)];
    else return undefined;
    if (isPair(at)) at = at.value;
  }
  return isNode(at) ? at : undefined;
}

export function keyOf(key: unknown): string {
  return isNode(key) ? String((key as { value?: unknown }).value) : String(key);
}

/** The value there; undefined if there is none. */
export function valueAt(value: unknown, path: readonly Step[]): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<string, unknown>)[String(step)];
  }
  return at;
}

export function same(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every(
      (key) => key in other && same((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]),
    )
  );
}
