import { expect, test } from 'vitest';
import type { ExecutionRow } from '@/api/types';
import { doingOf } from './doing';

const running = {
  nodeId: 'check',
  nodeName: 'Check',
  jobs: 1,
  agent: 'web-1',
  since: 'then',
  detail: 'Check is running',
};
const waits = (reason: 'agent' | 'approval' | 'delay', detail: string, until: string | null = null) =>
  ({ reason, detail, until, since: 'before' }) as ExecutionRow['waiting'][number];

test('what people can do something about comes before what runs, and that before what goes on by itself', () => {
  const waiting = [
    waits('delay', 'Settle goes on in 5 min', 'later'),
    waits('approval', 'waiting for approval by ann'),
  ];
  expect(doingOf({ waiting, running: [running] }).map((each) => each.words)).toEqual([
    'waiting for approval by ann',
    'Check is running',
    'Settle goes on',
  ]);
});

test('how long it takes is not said as it was when it was read', () => {
  const [approval] = doingOf({
    waiting: [waits('approval', 'waiting for approval by ann, expires in 12 min', 'later')],
    running: [],
  });
  expect(approval).toEqual({ kind: 'approval', words: 'waiting for approval by ann', since: 'before', until: 'later' });
});
