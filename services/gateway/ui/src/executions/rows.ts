/**
 * What a list shows while it changes. Rows that are shown change in place and stay where they are, so that nobody clicks on what
 * has just moved; new executions are counted, and come in when they are asked for.
 */
import { replaceEqualDeep } from '@tanstack/react-query';
import type { ExecutionRow } from '@/api/types';
import { isActive } from '@/theme/status';

export interface Rows {
  /** As shown. */
  shown: readonly ExecutionRow[];
  /** Ids of newer executions that are not shown yet. */
  fresh: ReadonlySet<string>;
  /** Ids of those that were active when they came in: the room for what they wait for is kept once they have ended. */
  cameActive: ReadonlySet<string>;
}

export const NO_ROWS: Rows = { shown: [], fresh: new Set(), cameActive: new Set() };

/** The list as it was read, all of it. */
export function loaded(shown: readonly ExecutionRow[]): Rows {
  return { shown, fresh: new Set(), cameActive: activeOf(shown) };
}

/** Older ones, below those that are shown. */
export function withOlder(rows: Rows, older: readonly ExecutionRow[]): Rows {
  const known = new Set(rows.shown.map((each) => each.executionId));
  const added = older.filter((each) => !known.has(each.executionId));
  return { ...rows, shown: [...rows.shown, ...added], cameActive: new Set([...rows.cameActive, ...activeOf(added)]) };
}

/** One row came: changed if it is shown; new only if it began after the first that is shown. */
export function withRow(rows: Rows, row: ExecutionRow): Rows {
  const index = rows.shown.findIndex((each) => each.executionId === row.executionId);
  if (index >= 0) {
    const known = rows.shown[index];
    if (known !== undefined && !isActive(known.status) && isActive(row.status)) return rows;
    // what says nothing new stays the same object, and is not drawn again
    const next = replaceEqualDeep(known, row);
    return next === known ? rows : { ...rows, shown: rows.shown.with(index, next) };
  }
  const first = rows.shown[0];
  if (first === undefined) return { ...loaded([row]), fresh: rows.fresh };
  if (row.executionId < first.executionId || rows.fresh.has(row.executionId)) return rows;
  return { ...rows, fresh: new Set(rows.fresh).add(row.executionId) };
}

/** The first page came again, after a lost connection. */
export function withPage(rows: Rows, page: readonly ExecutionRow[]): Rows {
  return rows.shown.length === 0 ? { ...loaded(page), fresh: rows.fresh } : page.reduceRight(withRow, rows);
}

/** Rows that were read anew: as `withRow`, each. Those that were asked for and did not come match the filter no longer. */
export function withReread(rows: Rows, found: readonly ExecutionRow[]): Rows {
  return found.reduce(withRow, rows);
}

export function anyActive(rows: Rows): boolean {
  return rows.shown.some((each) => isActive(each.status));
}

function activeOf(rows: readonly ExecutionRow[]): Set<string> {
  return new Set(rows.filter((each) => isActive(each.status)).map((each) => each.executionId));
}
