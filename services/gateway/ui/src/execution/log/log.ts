/** The log of an execution as it is read: page after page, the last one again whenever more may have been written. Pure. */
import type { LogEntry } from '@/api/types';

export interface LogPage {
  /** What the page was asked with; null for the first one. */
  cursor: string | null;
  items: readonly LogEntry[];
}

export interface Log {
  pages: readonly LogPage[];
  /** The first line that is an error, wherever it is. */
  firstError: LogEntry | null;
  /** How the next page is asked for; when all was read, the last one again. */
  next: string | null;
  /** Whether the last page was the last when it was read. */
  complete: boolean;
}

export const NOTHING_READ: Log = { pages: [], firstError: null, next: null, complete: false };

/** After the page for `log.next` was read. */
export function withPage(
  log: Log,
  cursor: string | null,
  answer: { items: readonly LogEntry[]; nextCursor: string | null; firstError: LogEntry | null },
): Log {
  const at = log.pages.findIndex((page) => page.cursor === cursor);
  const before = log.pages[at];
  // a page only ever grows
  if (before !== undefined && answer.items.length < before.items.length) return log;
  const page = { cursor, items: answer.items };
  const pages = at < 0 ? [...log.pages, page] : [...log.pages.slice(0, at), page];
  return {
    pages,
    firstError: log.firstError ?? answer.firstError ?? answer.items.find((entry) => entry.level === 'error') ?? null,
    next: answer.nextCursor ?? cursor,
    complete: answer.nextCursor === null,
  };
}

export type LevelFilter = 'all' | 'warning' | 'error';

export interface LogFilter {
  text: string;
  level: LevelFilter;
  nodeId: string | null;
}

export function matching(log: Log, filter: LogFilter): LogEntry[] {
  const words = filter.text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  return log.pages.flatMap((page) =>
    page.items.filter(
      (entry) =>
        (filter.level === 'all' || entry.level === 'error' || entry.level === filter.level) &&
        (filter.nodeId === null || entry.nodeId === filter.nodeId) &&
        words.every((word) => entry.message.toLowerCase().includes(word)),
    ),
  );
}
