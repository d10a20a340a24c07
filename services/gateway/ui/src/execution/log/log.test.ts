import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LogEntry } from '@/api/types';
import { gapsOf, isGap, type LogFilter, NOTHING_READ, rowsOf, withLines } from './log';
import { type Answer, type Ask, LogReader, type Wants } from './reader';

function line(position: number, message = `line ${position}`, level: LogEntry['level'] = 'info', nodeId = 'check') {
  return { position, message, level, nodeId, jobId: null, item: null, at: '2026-11-23T03:00:00.000Z' };
}
const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => line(from + index));
const ALL: LogFilter = { text: '', level: 'all', nodeId: null };
const places = (log: typeof NOTHING_READ, filter = ALL) =>
  rowsOf(log, filter).map((row) => (isGap(row) ? `${row.after}…${row.before}` : row.position));

test('pieces join where they meet, whatever was read first and however often', () => {
  let log = withLines(NOTHING_READ, 10, 12, lines(11, 12));
  log = withLines(log, 0, 2, lines(1, 2));
  log = withLines(log, 20, 22, lines(21, 22));
  expect(places(log)).toEqual([1, 2, '2…11', 11, 12, '12…21', 21, 22]);
  // over a piece that is known, from end to end
  log = withLines(log, 1, 15, lines(2, 15));
  expect(places(log)).toEqual([...Array.from({ length: 15 }, (_, index) => index + 1), '15…21', 21, 22]);
  expect(withLines(log, 3, 5, lines(4, 5))).toBe(log);
  // where the execution has no events, there is nothing between
  log = withLines(log, 15, 20, []);
  expect(gapsOf(log)).toEqual([]);
  expect(log.pieces).toHaveLength(1);
});

test('lines of one event stay together', () => {
  const log = withLines(withLines(NOTHING_READ, 0, 1, [line(1, 'a'), line(1, 'b')]), 0, 2, [
    line(1, 'a'),
    line(1, 'b'),
    line(2),
  ]);
  expect(places(log)).toEqual([1, 1, 2]);
});

test('lines are found by words, level and node together', () => {
  const log = withLines(NOTHING_READ, 0, 4, [
    line(1, 'Check disk failed: exit code 3', 'error'),
    line(2, 'Check disk is tried again', 'warning'),
    line(3, 'Tell failed', 'error', 'tell'),
    line(4, 'Check disk runs on agent local'),
  ]);
  expect(places(log, { ...ALL, text: 'DISK  check' })).toEqual([1, 2, 4]);
  expect(places(log, { ...ALL, level: 'warning' })).toEqual([1, 2, 3]);
  expect(places(log, { ...ALL, level: 'error', nodeId: 'check' })).toEqual([1]);
});

/** A log of one line for each position, and the reader of it. */
function served(length: number, firstError: number | null = null) {
  const log = lines(1, length);
  const asked: Ask[] = [];
  const reader = new LogReader(async (ask): Promise<Answer> => {
    asked.push(ask);
    const within = log.filter(
      (each) => each.position > ask.after && (ask.before === null || each.position < ask.before),
    );
    const ordered = ask.order === 'desc' ? within.toReversed() : within;
    const error = firstError === null ? null : (log[firstError - 1] ?? null);
    return {
      items: ordered.slice(0, ask.limit),
      nextCursor: ordered.length > ask.limit ? 'more' : null,
      firstError: error,
    };
  });
  const wants: Wants = { end: false, all: false, at: null, gap: null };
  return { log, asked, reader, wants };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('of a long log its beginning and its end are read, and no more until it is wanted', async () => {
  const { asked, reader, wants } = served(5000, 2500);
  reader.want(wants);
  const stop = reader.start();
  reader.heard(5000);
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked.map((each) => each.order)).toEqual(['asc', 'desc']);
  expect(gapsOf(reader.current().log)).toEqual([{ after: 300, before: 4701 }]);
  expect(reader.current().log.firstError?.position).toBe(2500);

  // somebody scrolls down to it, and somebody up
  reader.want({ ...wants, gap: { after: 300, before: 4701, from: 'above' } });
  await vi.advanceTimersByTimeAsync(100);
  expect(gapsOf(reader.current().log)[0]?.after).toBeGreaterThanOrEqual(1300);
  reader.want({ ...wants, at: 2500 });
  await vi.advanceTimersByTimeAsync(100);
  expect(rowsOf(reader.current().log, ALL).some((row) => !isGap(row) && row.position === 2500)).toBe(true);

  // what is searched is read whole
  reader.want({ ...wants, all: true });
  await vi.advanceTimersByTimeAsync(1000);
  expect(gapsOf(reader.current().log)).toEqual([]);
  expect(rowsOf(reader.current().log, ALL)).toHaveLength(5000);
  expect(asked.length).toBeLessThan(12);
  stop();
});

test('a log that is followed begins at its end, and goes on with what is added', async () => {
  const { log, asked, reader, wants } = served(1000);
  reader.want({ ...wants, end: true });
  const stop = reader.start();
  reader.heard(1000);
  await vi.advanceTimersByTimeAsync(2000);
  expect(asked).toHaveLength(1);
  expect(rowsOf(reader.current().log, ALL).at(-1)).toMatchObject({ position: 1000 });
  log.push(line(1001), line(1002, 'disk full', 'error'));
  reader.heard(1001);
  reader.heard(1002);
  await vi.advanceTimersByTimeAsync(2000);
  expect(asked).toHaveLength(2);
  expect(rowsOf(reader.current().log, ALL).at(-1)).toMatchObject({ position: 1002 });
  expect(reader.current().log.firstError?.position).toBe(1002);
  stop();
});
