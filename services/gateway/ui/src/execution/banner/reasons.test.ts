import { expect, test } from 'vitest';
import type { WaitingRow } from '@/api/types';
import type { ExecutionFacts } from '../facts';
import type { JobLine } from '../jobTable';
import { reasonsOf } from './reasons';

const facts = (changes: Partial<ExecutionFacts>) =>
  ({ waiting: [], waitingTotal: 0, approvals: [], nodes: [], ...changes }) as unknown as ExecutionFacts;

const waits = (reason: WaitingRow['reason'], detail: string, more: Partial<WaitingRow> = {}): WaitingRow => ({
  reason,
  detail,
  nodeId: null,
  nodeName: null,
  item: null,
  since: null,
  until: null,
  jobId: null,
  approvalId: null,
  childExecutionId: null,
  ...more,
});

const job = (jobId: string, status: JobLine['status'], attempt = 1) =>
  ({
    jobId,
    status,
    attempt,
    nodeId: 'check',
    nodeName: 'Check',
    agent: 'local',
    item: null,
    startedAt: 'then',
  }) as JobLine;

function words(given: ExecutionFacts, jobs: JobLine[] = []) {
  const reasons = reasonsOf(given, jobs, new Map(jobs.map((each) => [each.jobId, each])));
  return { first: reasons.first.map((each) => each.words), total: reasons.total };
}

test('what people can do something about comes first, and what runs is named', () => {
  const given = facts({
    waiting: [
      waits('delay', 'Settle goes on in 5 min', { until: 'later' }),
      waits('approval', 'waiting for approval by alice'),
    ],
    waitingTotal: 2,
  });
  expect(words(given, [job('1', 'completed'), job('2', 'running', 3)])).toEqual({
    first: ['Waiting for approval by alice', 'Check is running on local, attempt 3', 'Settle goes on'],
    total: 3,
  });
});

test('how long it takes is counted, and not said as it was when it was read', () => {
  const said = (row: WaitingRow) =>
    words(facts({ waiting: [row], nodes: [{ nodeId: 'a', status: 'waiting' }] as never })).first;
  const at = { until: '2026-11-23T03:00:00Z', nodeId: 'a' };
  expect(said(waits('retry', 'retry 1 of 2 of Check in 8 s', at))).toEqual(['Retry 1 of 2 of Check']);
  expect(said(waits('approval', 'waiting for approval by alice or bob, expires in 1 h 5 min', at))).toEqual([
    'Waiting for approval by alice or bob',
  ]);
  expect(said(waits('delay', 'Sleep in a bit goes on now', at))).toEqual(['Sleep in a bit goes on']);
  expect(said(waits('agent', 'Check waits for an agent in pool db: 0 of 2 online', at))).toEqual([
    'Check waits for an agent in pool db: 0 of 2 online',
  ]);
});

test('what events told meanwhile is no longer waited for', () => {
  const given = facts({
    waiting: [
      waits('agent', 'Check is waiting for an agent', { jobId: '1' }),
      waits('approval', 'by alice', { approvalId: 'x' }),
    ],
    waitingTotal: 2,
    approvals: [{ approvalId: 'x', status: 'approved' }] as never,
  });
  expect(words(given, [job('1', 'running')])).toEqual({ first: ['Check is running on local'], total: 1 });
});

test('what the iterations of a forEach have in common is said once', () => {
  const pool = 'Ping is waiting for an agent in pool db';
  const given = facts({
    waiting: [1, 2, 3].map((index) =>
      waits('agent', `each[${index}]: ${pool}`, { item: `each[${index}]`, nodeId: 'ping', jobId: `w${index}` }),
    ),
    waitingTotal: 40,
  });
  const jobs = ['1', '2', '3'].map((jobId, index) => ({ ...job(jobId, 'running'), item: `each[${index}]` }));
  expect(words(given, jobs)).toEqual({ first: [`${pool}, 40 times`, '3 jobs of Check are running'], total: 2 });
});
