import { expect, test } from 'vitest';
import { type Filter, isEmpty, NOTHING, queryOf, readFilter, writeFilter } from './filter';

const FULL: Filter = {
  q: 'disk clean',
  statuses: ['running', 'failed'],
  workflowId: '0190c0de-0000-7000-8000-000000000001',
  trigger: 'cron',
  range: null,
  from: '2026-11-01T00:00:00.000Z',
  to: '2026-11-02T00:00:00.000Z',
};

test('an address says the whole filter and gives it back', () => {
  expect(readFilter(writeFilter(FULL))).toEqual(FULL);
  expect(readFilter(writeFilter({ ...NOTHING, range: '24h' }))).toEqual({ ...NOTHING, range: '24h' });
});

test('what an address says wrongly is left out', () => {
  expect(readFilter(new URLSearchParams('status=lost&status=failed&trigger=moon&range=9y&from=yesterday'))).toEqual({
    ...NOTHING,
    statuses: ['failed'],
  });
});

test('a filter of nothing has an empty address and asks for everything', () => {
  expect(isEmpty(NOTHING)).toBe(true);
  expect(writeFilter(NOTHING).toString()).toBe('');
  expect(queryOf(NOTHING, 0)).toEqual({});
});

test('a range is counted back from now, to the minute', () => {
  const now = Date.parse('2026-11-23T12:00:59Z');
  expect(queryOf({ ...NOTHING, range: '1h' }, now)).toEqual({ from: '2026-11-23T11:00:00.000Z' });
});
