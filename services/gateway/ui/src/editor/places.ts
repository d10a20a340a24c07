/** Where in the text, and at which node, a problem is that the server names by its path. */
import { isMap } from 'yaml';
import { type FieldProblem, stepsOf } from '@/ui/schemaForm/paths';
import { nodeAt, type Parsed, type Step, valueAt } from './text/parsed';

export interface Placed extends FieldProblem {
  severity: 'error' | 'warning';
  from: number;
  to: number;
  line: number;
  /** The key of the node in the graph. */
  node: string | null;
}

export function placed(parsed: Parsed, problem: FieldProblem, severity: Placed['severity']): Placed {
  const steps = stepsOf(problem.path);
  const { from, to } = rangeOf(parsed, steps);
  return { ...problem, severity, from, to, line: lineOf(parsed.text, from), node: nodeKeyAt(parsed.value, steps) };
}

export function lineOf(text: string, at: number): number {
  let line = 1;
  for (let found = text.indexOf('\n'); found >= 0 && found < at; found = text.indexOf('\n', found + 1)) line += 1;
  return line;
}

/** Of a field that is there its own lines; of one that is missing the beginning of what it is missing in. */
export function rangeOf({ text, document }: Parsed, steps: readonly Step[]): { from: number; to: number } {
  for (let length = steps.length; length > 0; length -= 1) {
    const path = steps.slice(0, length);
    const parent = nodeAt(document, path.slice(0, -1));
    if (!isMap(parent) && typeof path[length - 1] === 'string') continue;
    if (isMap(parent)) {
      const pair = parent.items.find(
        (each) => String((each.key as { value?: unknown }).value) === String(path[length - 1]),
      );
      const key = (pair?.key as { range?: [number, number, number] } | undefined)?.range;
      if (!key) continue;
      const value = (pair?.value as { range?: [number, number, number] } | null)?.range;
      return oneLine(text, key[0], value && value[1] > key[1] ? value[1] : key[1]);
    }
    const range = nodeAt(document, path)?.range;
    if (range) return oneLine(text, range[0], range[1]);
  }
  return oneLine(text, 0, text.length);
}

/** A mark over half of a document says nothing. */
function oneLine(text: string, from: number, to: number): { from: number; to: number } {
  const end = text.indexOf('\n', from);
  const until = Math.min(to, end < 0 ? text.length : end);
  return { from, to: Math.max(until, from) };
}

/** The innermost node around the path: `nodes[2].body.nodes[0].id` is in `each/look`. */
export function nodeKeyAt(value: unknown, steps: readonly Step[]): string | null {
  const ids: string[] = [];
  for (let at = 0; at + 1 < steps.length; at += 1) {
    if (steps[at] !== 'nodes' || typeof steps[at + 1] !== 'number') continue;
    const id = valueAt(value, [...steps.slice(0, at + 2), 'id']);
    if (typeof id !== 'string') break;
    ids.push(id);
    if (steps[at + 2] !== 'body') break;
    at += 2;
  }
  return ids.length === 0 ? null : ids.join('/');
}

/** The node whose lines the offset is in. */
export function nodeKeyOfOffset({ document, value }: Parsed, offset: number): string | null {
  let key: string | null = null;
  const search = (path: Step[], around: string | null) => {
    const list = valueAt(value, [...path, 'nodes']);
    if (!Array.isArray(list)) return;
    list.forEach((node, at) => {
      const range = nodeAt(document, [...path, 'nodes', at])?.range;
      if (!range || offset < range[0] || offset > range[1] || typeof node?.id !== 'string') return;
      key = around === null ? node.id : `${around}/${node.id}`;
      search([...path, 'nodes', at, 'body'], key);
    });
  };
  search([], null);
  return key;
}
