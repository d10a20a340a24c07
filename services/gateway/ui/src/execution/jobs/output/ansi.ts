/** A row of output as pieces of one look each: what the ANSI sequences in it say. Never markup: pieces are text. */
import { AnsiUp } from 'ansi_up';

export interface Piece {
  text: string;
  /** Of OutputText.module.css: `ansi-red-fg` and the like. */
  names: readonly string[];
  /** Colours beyond the sixteen, as `r,g,b`. */
  colour: string | null;
  ground: string | null;
}

const parser = new AnsiUp();
parser.use_classes = true;
parser.boldStyle = '--is:bold';
parser.faintStyle = '--is:faint';
parser.italicStyle = '--is:italic';
parser.underlineStyle = '--is:underline';

// biome-ignore lint/suspicious/noControlCharactersInRegex: operating system commands: titles of windows, links
const OSC = /\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: it begins with ESC
const CSI = /\x1b\[[0-?]*[ -/]*[@-~]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all but tab and ESC
const CONTROL = /[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f]/g;
const RESET = '\x1b[0m';

/** `style`: the sequences in force at its beginning. */
export function piecesOf(text: string, style: string): Piece[] {
  const last = lastDrawn(text);
  if (style === '' && !last.includes('\x1b')) return [plain(visible(last))];
  const html = parser.ansi_to_html(`${RESET}${style}${visible(last.replace(OSC, ''))}${RESET}`);
  const pieces: Piece[] = [];
  for (const node of new DOMParser().parseFromString(html, 'text/html').body.childNodes) {
    const content = (node.textContent ?? '').replaceAll('\x1b', '');
    if (content === '') continue;
    pieces.push(node instanceof HTMLElement ? dressed(content, node) : plain(content));
  }
  return pieces;
}

/** The text alone, as the pieces have it; without them, because searches go through a lot of it. */
export function plainText(text: string): string {
  const last = lastDrawn(text);
  return visible(last.includes('\x1b') ? last.replace(OSC, '').replace(CSI, '').replaceAll('\x1b', '') : last);
}

/** Of a line that a program drew over and over (a progress bar) what stood there at last. */
function lastDrawn(text: string): string {
  const end = text.endsWith('\r') ? text.length - 1 : text.length;
  const from = text.lastIndexOf('\r', end - 1);
  return text.slice(from + 1, end);
}

/** Control characters as their pictures. */
function visible(text: string): string {
  return text.replace(CONTROL, (character) =>
    character === '\x7f' ? '␡' : String.fromCharCode(0x2400 + character.charCodeAt(0)),
  );
}

function plain(text: string): Piece {
  return { text, names: [], colour: null, ground: null };
}

function dressed(text: string, element: HTMLElement): Piece {
  const style = element.getAttribute('style') ?? '';
  const rgb = (property: string) => new RegExp(`(?:^|;)${property}:rgb\\(([\\d,]+)\\)`).exec(style)?.[1] ?? null;
  return {
    text,
    names: [
      ...[...element.classList].filter((name) => name.startsWith('ansi-')),
      ...[...style.matchAll(/--is:(\w+)/g)].map((match) => `ansi-${match[1]}`),
    ],
    colour: rgb('color'),
    ground: rgb('background-color'),
  };
}

/** From where to where of a text something is found. */
export type Found = readonly [number, number];

export interface Cut {
  piece: Piece;
  /** Where in the text it begins. */
  at: number;
  /** The number of its match; null: of none. */
  match: number | null;
}

/** The pieces, cut where matches begin and end. */
export function cutAt(pieces: readonly Piece[], matches: readonly Found[]): Cut[] {
  const cut: Cut[] = [];
  let at = 0;
  for (const piece of pieces) {
    const begin = at;
    const end = begin + piece.text.length;
    let from = begin;
    const add = (to: number, match: number | null) => {
      if (to > from)
        cut.push({ piece: { ...piece, text: piece.text.slice(from - begin, to - begin) }, at: from, match });
      from = Math.max(from, to);
    };
    for (const [index, [start, stop]] of matches.entries()) {
      if (stop <= from || start >= end) continue;
      add(Math.max(start, from), null);
      add(Math.min(stop, end), index);
    }
    add(end, null);
    at = end;
  }
  return cut;
}

export function findAll(text: string, wanted: string): Found[] {
  const found: Found[] = [];
  const lower = text.toLowerCase();
  const sought = wanted.toLowerCase();
  if (sought === '') return found;
  for (let at = lower.indexOf(sought); at >= 0; at = lower.indexOf(sought, at + sought.length))
    found.push([at, at + sought.length]);
  return found;
}
