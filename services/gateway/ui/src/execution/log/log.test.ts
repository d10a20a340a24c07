import { expect, test } from 'vitest';
import type { LogEntry } from '@/api/types';
import { matching, NOTHING_READ, withPage } from './log';

function line(position: number, message: string, level: LogEntry['level'] = 'info', nodeId: string | null = null) {
  return { position, message, level, nodeId, jobId: null, item: null, at: '2026-11-23T03:00:00.000Z' };
}

test('a log that goes on is read from its last page on, and no line comes twice', () => {
  let log = withPage(NOTHING_READ, null, { items: [line(1, 'one')], nextCursor: 'a', firstError: null });
  expect(log).toMatchObject({ next: 'a', complete: false });
  log = withPage(log, 'a', { items: [line(2, 'two')], nextCursor: null, firstError: null });
  expect(log).toMatchObject({ next: 'a', complete: true });
  log = withPage(log, 'a', { items: [line(2, 'two'), line(3, 'three')], nextCursor: 'b', firstError: null });
  log = withPage(log, 'b', { items: [line(4, 'four', 'error')], nextCursor: null, firstError: null });
  expect(matching(log, { text: '', level: 'all', nodeId: null }).map((entry) => entry.position)).toEqual([1, 2, 3, 4]);
  expect(log.firstError?.position).toBe(4);
});

test('an answer that is older than what is shown takes no line away', () => {
  const log = withPage(NOTHING_READ, null, {
    items: [line(1, 'one'), line(2, 'two')],
    nextCursor: null,
    firstError: null,
  });
  expect(withPage(log, null, { items: [line(1, 'one')], nextCursor: null, firstError: null })).toBe(log);
});

test('the first error is known from the first page on, wherever it is', () => {
  const far = line(9000, 'disk full', 'error');
  expect(withPage(NOTHING_READ, null, { items: [line(1, 'one')], nextCursor: 'a', firstError: far }).firstError).toBe(
    far,
  );
});

test('lines are found by words, level and node together', () => {
  const items = [
    line(1, 'Check disk failed: exit code 3', 'error', 'check'),
    line(2, 'Check disk is tried again', 'warning', 'check'),
    line(3, 'Tell failed', 'error', 'tell'),
    line(4, 'Check disk runs on agent local', 'info', 'check'),
  ];
  const log = withPage(NOTHING_READ, null, { items, nextCursor: null, firstError: null });
  const found = (text: string, level: 'all' | 'warning' | 'error', nodeId: string | null) =>
    matching(log, { text, level, nodeId }).map((entry) => entry.position);
  expect(found('DISK  check', 'all', null)).toEqual([1, 2, 4]);
  expect(found('', 'warning', null)).toEqual([1, 2, 3]);
  expect(found('', 'error', 'check')).toEqual([1]);
});
