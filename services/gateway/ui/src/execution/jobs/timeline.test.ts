import { expect, test } from 'vitest';
import type { WaitingRow } from '@/api/types';
import type { JobLine } from '../store';
import { attemptsOf, linesOf } from './attempts';
import { barOf, barOfAll, lengthOf, placeOf, scaleOf, ticksOf, tickText } from './chart';
import { filterOf, matching } from './filter';

const START = Date.parse('2026-11-23T06:00:00.000Z');
const at = (seconds: number) => new Date(START + seconds * 1000).toISOString();

function job(jobId: string, change: Partial<JobLine> = {}): JobLine {
  return {
    jobId,
    nodeId: 'restart',
    nodeName: 'Restart',
    item: null,
    actionType: 'script.bash',
    attempt: 1,
    status: 'completed',
    agent: 'local',
    queuedAt: at(0),
    dispatchedAt: at(1),
    startedAt: at(2),
    finishedAt: at(10),
    durationMs: 8000,
    error: null,
    ...change,
  };
}

const JOBS = [
  job('1'),
  job('2', { status: 'failed', error: { reason: 'exit_code', message: 'The disk is full' } as JobLine['error'] }),
  job('3', { nodeId: 'work', item: 'each[1]' }),
  job('4', { nodeId: 'work', item: 'each[11]' }),
  job('5', { nodeId: 'work', item: 'each[1].inner[0]', agent: 'db-01' }),
];

test.each([
  ['', '12345'],
  ['jobStatus=failed', '2'],
  ['jobStatus=failed&jobStatus=completed', '12345'],
  ['jobStatus=nonsense', '12345'],
  ['node=restart', '12'],
  ['node=each', '345'],
  ['item=each[1]', '35'],
  ['jobText=FULL disk', '2'],
  ['jobText=db-01&node=work', '5'],
])('jobs are listed by what is in the address: %s', (query, expected) => {
  const found = matching(JOBS, filterOf(new URLSearchParams(query)));
  expect(found.map((each) => each.jobId).join('')).toBe(expected);
});

test('the scale of what has ended is exactly as long, that of what goes on changes in steps', () => {
  const ended = scaleOf(JOBS, START + 99_000);
  expect(ended).toEqual({ from: START, to: START + 10_000, step: 2000 });
  expect(ticksOf(ended).map((tick) => tickText(tick - START))).toEqual(['0', '2 s', '4 s', '6 s', '8 s']);
  const going = [...JOBS, job('6', { status: 'running', finishedAt: null })];
  const one = scaleOf(going, START + 31_000);
  const other = scaleOf(going, START + 38_000);
  expect(other).toEqual(one);
  expect(one.to).toBe(START + 40_000);
  expect(scaleOf([], START).to).toBeGreaterThan(START);
});

test('a bar has the waiting, the way to the agent, and the run', () => {
  const parts = (change: Partial<JobLine>) =>
    barOf(job('x', change), START + 20_000).map(({ part, from, to }) => [
      part,
      (from - START) / 1000,
      (to - START) / 1000,
    ]);
  expect(parts({})).toEqual([
    ['queued', 0, 1],
    ['dispatched', 1, 2],
    ['ran', 2, 10],
  ]);
  expect(parts({ startedAt: null, finishedAt: null })).toEqual([
    ['queued', 0, 1],
    ['dispatched', 1, 20],
  ]);
  expect(parts({ dispatchedAt: null, startedAt: null, finishedAt: null })).toEqual([['queued', 0, 20]]);
  expect(parts({ finishedAt: null }).at(-1)).toEqual(['ran', 2, 20]);
});

test('places are within the chart, whatever clocks say', () => {
  const scale = scaleOf(JOBS, START);
  expect([-5, 0, 5, 10, 15].map((seconds) => placeOf(START + seconds * 1000, scale))).toEqual([0, 0, 50, 100, 100]);
});

const ATTEMPTS = [
  job('a1', { status: 'failed', startedAt: at(1), finishedAt: at(3) }),
  job('a2', {
    status: 'failed',
    attempt: 2,
    queuedAt: at(8),
    dispatchedAt: at(8),
    startedAt: at(8),
    finishedAt: at(9),
  }),
];
const DUE = { reason: 'retry', nodeId: 'restart', item: null, until: at(14) } as WaitingRow;
const NONE: ReadonlySet<string> = new Set();

test('attempts of one node are one line, those of another iteration another', () => {
  const other = job('b1', { item: 'each[0]' });
  const rows = attemptsOf([...ATTEMPTS, other], NONE, []);
  expect(rows.map((row) => [row.key, row.last.jobId, row.jobs.length])).toEqual([
    ['a1', 'a2', 2],
    ['b1', 'b1', 1],
  ]);
  expect(attemptsOf([other], NONE, [])[0]).toBe(rows[1]);
  expect(linesOf(rows, new Set()).map((line) => line.job.jobId)).toEqual(['a2', 'b1']);
  expect(linesOf(rows, new Set(['a1'])).map((line) => [line.job.jobId, line.isAttempt])).toEqual([
    ['a2', false],
    ['a1', true],
    ['a2', true],
    ['b1', false],
  ]);
  // nobody knows yet in which iterations these are
  expect(attemptsOf(ATTEMPTS, new Set(['a1', 'a2']), [])).toHaveLength(2);
});

test('the bar of several attempts shows what was waited between them, and for the next', () => {
  const [row] = attemptsOf(ATTEMPTS, NONE, [DUE]);
  if (row === undefined) throw new Error('there is no row');
  expect(row.retryAt).toBe(DUE.until);
  const parts = barOfAll(row, START + 10_000).filter(({ part }) => part === 'ran' || part === 'delay');
  expect(parts.map(({ part, from, to }) => [part, (from - START) / 1000, (to - START) / 1000])).toEqual([
    ['ran', 1, 3],
    ['delay', 3, 8],
    ['ran', 8, 9],
    ['delay', 9, 14],
  ]);
  expect(lengthOf(row, START + 10_000)).toBe(9000);
  const again = job('a3', { status: 'pending', attempt: 3, queuedAt: at(14), startedAt: null, finishedAt: null });
  expect(attemptsOf([...ATTEMPTS, again], NONE, [DUE])[0]?.retryAt).toBeNull();
  const [over] = attemptsOf(ATTEMPTS, NONE, []);
  expect(over && lengthOf(over, START + 99_000)).toBe(8000);
});
