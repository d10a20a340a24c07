/**
 * The log of an execution as far as it has been read: pieces of it, in order, between which lines may not have been read yet. Pure.
 *
 * Places in it are positions of events, of which each has all of its lines in one piece.
 */
import type { LogEntry } from '@/api/types';

/** All lines after position `after` up to and with position `upTo`. */
export interface Piece {
  after: number;
  upTo: number;
  /** As they were read; the same object as long as they are the same. */
  pages: readonly (readonly LogEntry[])[];
}

export interface Log {
  pieces: readonly Piece[];
  /** The first line that is an error, wherever it is. */
  firstError: LogEntry | null;
}

export const NOTHING_READ: Log = { pieces: [], firstError: null };

/** With these lines, which are all after `after` and up to `upTo`. */
export function withLines(log: Log, after: number, upTo: number, lines: readonly LogEntry[]): Log {
  const touched = log.pieces.filter((piece) => piece.after <= upTo && piece.upTo >= after);
  const held = (position: number) => touched.some((piece) => piece.after < position && position <= piece.upTo);
  const pages = touched.flatMap((piece) => piece.pages);
  let page: LogEntry[] = [];
  let last = 0;
  const close = () => {
    if (page.length > 0) pages.push(page);
    page = [];
  };
  for (const line of lines) {
    // what is held already lies between two lines that are new
    if (held(line.position) || touched.some((piece) => last <= piece.after && piece.upTo < line.position)) close();
    if (!held(line.position)) page.push(line);
    last = line.position;
  }
  close();
  pages.sort((one, other) => (one[0]?.position ?? 0) - (other[0]?.position ?? 0));
  const whole: Piece = {
    after: Math.min(after, ...touched.map((piece) => piece.after)),
    upTo: Math.max(upTo, ...touched.map((piece) => piece.upTo)),
    pages,
  };
  const [same] = touched;
  if (touched.length === 1 && same?.after === whole.after && same.upTo === whole.upTo) return log;
  const pieces = [...log.pieces.filter((piece) => !touched.includes(piece)), whole];
  pieces.sort((one, other) => one.after - other.after);
  return { ...log, pieces };
}

export function withFirstError(log: Log, firstError: LogEntry | null): Log {
  return log.firstError !== null || firstError === null ? log : { ...log, firstError };
}

/** Between the beginning and `upTo`: what has not been read, as the positions around it. */
export interface Gap {
  after: number;
  before: number;
}

export function gapsOf(log: Log): Gap[] {
  const gaps: Gap[] = [];
  let after = 0;
  for (const piece of log.pieces) {
    if (piece.after > after) gaps.push({ after, before: piece.after + 1 });
    after = piece.upTo;
  }
  return gaps;
}

export function isRead(log: Log, position: number): boolean {
  return log.pieces.some((piece) => piece.after < position && position <= piece.upTo);
}

export function countOf(log: Log): number {
  return log.pieces.reduce((sum, piece) => piece.pages.reduce((count, page) => count + page.length, sum), 0);
}

export type LevelFilter = 'all' | 'warning' | 'error';

export interface LogFilter {
  text: string;
  level: LevelFilter;
  nodeId: string | null;
}

export type Row = LogEntry | Gap;

export function isGap(row: Row): row is Gap {
  return 'before' in row;
}

/** What matches, and where something may be missing between. */
export function rowsOf(log: Log, filter: LogFilter): Row[] {
  const matches = matcher(filter);
  const gaps = gapsOf(log);
  const rows: Row[] = [];
  for (const piece of log.pieces) {
    const gap = gaps.find((each) => each.before === piece.after + 1);
    if (gap !== undefined) rows.push(gap);
    for (const page of piece.pages) for (const entry of matches(page)) rows.push(entry);
  }
  return rows;
}

const found = new WeakMap<readonly LogEntry[], { key: string; entries: readonly LogEntry[] }>();

/** Each page is gone through once for a filter, however often others are added. */
function matcher({ text, level, nodeId }: LogFilter) {
  const words = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0 && level === 'all' && nodeId === null) return (page: readonly LogEntry[]) => page;
  const key = JSON.stringify([words, level, nodeId]);
  return (page: readonly LogEntry[]) => {
    const known = found.get(page);
    if (known?.key === key) return known.entries;
    const entries = page.filter(
      (entry) =>
        (level === 'all' || entry.level === 'error' || entry.level === level) &&
        (nodeId === null || entry.nodeId === nodeId) &&
        words.every((word) => entry.message.toLowerCase().includes(word)),
    );
    found.set(page, { key, entries });
    return entries;
  };
}
