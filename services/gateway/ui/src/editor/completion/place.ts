/** What the caret stands on, in a document that need not be complete: the text is read with a mark put in where the caret is. */
import { isMap, isPair, isScalar, isSeq, type Node, parseDocument } from 'yaml';
import { keyOf, type Step } from '../text/parsed';

export interface Caret {
  kind: 'key' | 'value' | 'expression';
  /** Of a key: of the map that it is in. Of a value: its own. */
  path: Step[];
  /** What of it is written, from `from` to the caret. */
  word: string;
  from: number;
  /** Of the map around: keys that it has already. */
  present: string[];
  /** The document, with the mark taken out as far as possible. */
  value: unknown;
  /** In a map or list on one line. */
  flow: boolean;
}

const MARK = 'caretStandsHere';
/** These fields hold CEL themselves; elsewhere it stands within {{ }}. */
const CEL: ReadonlySet<string> = new Set(['expression', 'until', 'items', 'condition']);

export function caretAt(text: string, at: number): Caret | null {
  const lineFrom = text.lastIndexOf('\n', at - 1) + 1;
  const before = text.slice(lineFrom, at);
  const template = before.lastIndexOf('{{');
  if (template >= 0 && !before.slice(template).includes('}}')) {
    const inner = before.slice(template + 2);
    const word = celWord(inner);
    const found = find(`${text.slice(0, lineFrom + template)}${MARK}${restOfTemplate(text, at)}`);
    return { ...(found ?? nowhere()), kind: 'expression', word, from: at - word.length };
  }
  if (/(^|\s)#/.test(before) && find(`${text.slice(0, at)}${MARK}${text.slice(at)}`) === null) return null;
  const word = /[\w.:$-]*$/.exec(before)?.[0] ?? '';
  const rest = text.slice(at).replace(/^[\w.$-]*/, '');
  const head = text.slice(0, at - word.length);
  const lead = before.slice(0, before.length - word.length);
  if (/^\s*(- +)*$/.test(lead) || /[{,]\s*$/.test(lead)) {
    const tail = rest.replace(/^[ \t]*:/, ':');
    const found = find(tail.startsWith(':') ? `${head}${MARK}${tail}` : `${head}${MARK}: ${MARK}${rest}`);
    if (found?.kind === 'key') return { ...found, word, from: at - word.length };
  }
  const whole = /:\s+(.*)$/.exec(before)?.[1] ?? word;
  const found = find(`${head}${MARK}${rest}`);
  if (found === null) return null;
  const field = found.path.findLast((step) => typeof step === 'string');
  const last = found.path[found.path.length - 1];
  if (typeof last === 'string' && CEL.has(String(field)) && !found.path.includes('params')) {
    const cel = celWord(whole);
    return { ...found, kind: 'expression', word: cel, from: at - cel.length };
  }
  return { ...found, word, from: at - word.length };
}

function celWord(expression: string): string {
  return /[A-Za-z_][\w.]*$/.exec(expression)?.[0] ?? '';
}

function restOfTemplate(text: string, at: number): string {
  const lineTo = text.indexOf('\n', at);
  const line = text.slice(at, lineTo < 0 ? text.length : lineTo);
  const end = line.indexOf('}}');
  if (end >= 0) return text.slice(at + end + 2);
  // not closed yet: what of the line belongs to it cannot be told, but a quote that follows does not
  const quote = /["'][\s,}\]]*$/.exec(line);
  return text.slice(at + (quote ? quote.index : 0));
}

function nowhere(): Caret {
  return { kind: 'value', path: [], word: '', from: 0, present: [], value: {}, flow: false };
}

function find(marked: string): Caret | null {
  const document = parseDocument(marked, { prettyErrors: false, uniqueKeys: false, keepSourceTokens: false });
  let found: Caret | null = null;
  const walk = (node: unknown, path: Step[], present: string[], flow: boolean) => {
    if (found) return;
    if (isMap(node)) {
      const keys = node.items.map((pair) => keyOf(pair.key));
      const others = keys.filter((key) => key !== MARK);
      const within = flow || node.flow === true;
      node.items.forEach((pair, at) => {
        if (keys[at]?.includes(MARK)) {
          found ??= { ...nowhere(), kind: 'key', path, present: others, flow: within };
          return;
        }
        walk(pair.value, [...path, keys[at] ?? ''], others, within);
      });
    } else if (isSeq(node)) {
      for (const [at, item] of node.items.entries())
        walk(isPair(item) ? item.value : item, [...path, at], [], flow || node.flow === true);
    } else if (isScalar(node) && typeof node.value === 'string' && node.value.includes(MARK)) {
      found = { ...nowhere(), path, present, flow };
    }
  };
  walk(document.contents as Node | null, [], [], false);
  if (found === null) return null;
  return { ...(found as Caret), value: plain(document) };
}

function plain(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS();
  } catch {
    return {}; // an alias that leads nowhere
  }
}
