import { expect, test } from 'vitest';
import type { ExecutionRow } from '@/api/types';
import { anyActive, loaded, NO_ROWS, type Rows, withOlder, withPage, withRow } from './rows';

function row(executionId: string, status: ExecutionRow['status'] = 'running'): ExecutionRow {
  return { executionId, status } as ExecutionRow;
}

const THREE: Rows = loaded([row('c'), row('b'), row('a', 'completed')]);

test('a row that is shown changes where it stands', () => {
  const rows = withRow(THREE, row('b', 'failed'));
  expect(rows.shown.map((each) => [each.executionId, each.status])).toEqual([
    ['c', 'running'],
    ['b', 'failed'],
    ['a', 'completed'],
  ]);
  expect(rows.fresh.size).toBe(0);
});

test('a new execution is counted once and moves nothing', () => {
  const rows = withRow(withRow(THREE, row('d')), row('d', 'completed'));
  expect(rows.shown).toBe(THREE.shown);
  expect([...rows.fresh]).toEqual(['d']);
});

test('in an empty list a new execution is shown at once', () => {
  expect(withRow(NO_ROWS, row('a')).shown).toHaveLength(1);
});

test('what has ended never runs again, whatever comes late', () => {
  expect(withRow(THREE, row('a', 'running'))).toBe(THREE);
});

test('an older execution that the first page has made room for is not new', () => {
  expect(withRow(THREE, row('0')).fresh.size).toBe(0);
});

test('a page that comes again after a lost connection changes rows and counts what is new', () => {
  const rows = withPage(THREE, [row('e'), row('d'), row('c', 'failed')]);
  expect([...rows.fresh].sort()).toEqual(['d', 'e']);
  expect(rows.shown[0]?.status).toBe('failed');
});

test('only what is active is asked for again', () => {
  expect(anyActive(THREE)).toBe(true);
  expect(anyActive(loaded([row('a', 'completed'), row('b', 'cancelled')]))).toBe(false);
});

test('a row keeps the room that it came with, whatever becomes of it, until the list is read anew', () => {
  const rows = withOlder(withRow(THREE, row('b', 'failed')), [row('0', 'paused'), row('a', 'completed')]);
  expect([...rows.cameActive].sort()).toEqual(['0', 'b', 'c']);
  expect(loaded(rows.shown.slice(1, 3)).cameActive.size).toBe(0);
});
