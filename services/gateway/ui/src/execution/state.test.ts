import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ExecutionDetail } from '@/api/types';
import { type ExecutionEvent, executionEvent } from './event';
import { hasEnded } from './jobTable';
import { type ExecutionState, withDetail, withEvents, withJobs, withSnapshot } from './state';

/** What a real server said of one execution: its detail at eleven positions, and all its events. */
const details: ExecutionDetail[] = [];
const events: ExecutionEvent[] = [];
for (const line of readFileSync(join(import.meta.dirname, 'recorded.jsonl'), 'utf8')
  .trim()
  .split('\n')) {
  const { topic, data } = JSON.parse(line) as { topic: string; data: unknown };
  const event = executionEvent(topic, data);
  if (event === null) details.push(data as ExecutionDetail);
  else events.push(event);
}
const [first] = details as [ExecutionDetail, ...ExecutionDetail[]];
const last = details.at(-1) as ExecutionDetail;

function at(asOf: number): ExecutionDetail {
  const found = details.find((each) => each.asOf === asOf);
  if (found === undefined) throw new Error(`nothing was read at ${asOf}`);
  return found;
}

/** What must be exact at once; what a node of an iteration is called, and whether only people are waited for, is read soon. */
function shown(state: ExecutionState) {
  const { detail, jobs } = state;
  return {
    status: detail.status === 'paused' ? 'running' : detail.status,
    finishedAt: detail.finishedAt,
    error: detail.error,
    jobCounts: detail.jobCounts,
    pendingApprovals: detail.pendingApprovals,
    nodes: detail.nodes.map(({ nodeId, status, startedAt, finishedAt, progress }) => ({
      nodeId,
      status,
      startedAt,
      finishedAt,
      progress,
    })),
    approvals: detail.approvals,
    jobs: jobs.list.map(({ nodeName: _read, ...job }) => job),
  };
}

function after(asOf: number, from: ExecutionState): ExecutionState {
  return withEvents(
    from,
    events.filter((event) => event.position <= asOf),
  );
}

const begun = () => withSnapshot(null, first, 0);

test('events alone say what the API says at each of the positions at which it was asked', () => {
  for (const detail of details) {
    expect(shown(after(detail.asOf, begun())), `at ${detail.asOf}`).toEqual(shown(withSnapshot(null, detail, 0)));
  }
});

test('events that come twice, or late, change nothing', () => {
  const half = after(at(49).asOf, begun());
  expect(withEvents(half, events.slice(0, 20))).toBe(half);
  const whole = after(last.asOf, half);
  expect(withEvents(whole, events)).toBe(whole);
  expect(shown(whole)).toEqual(shown(withSnapshot(null, last, 0)));
});

test('an answer that was overtaken by events is brought up to them, and an older one than the last is passed over', () => {
  const now = after(at(59).asOf, begun());
  const read = withDetail(now, at(40), 0);
  expect(shown(read)).toEqual(shown(now));
  expect(read.baseAsOf).toBe(40);
  expect(withDetail(read, at(37), 0)).toBe(read);
});

test('an answer that is ahead of the stream is believed, and what the stream then tells of it is not done twice', () => {
  const ahead = withDetail(after(at(32).asOf, begun()), at(65), 0);
  expect(shown(ahead)).toEqual(shown(withSnapshot(null, at(65), 0)));
  expect(shown(after(at(65).asOf, ahead))).toEqual(shown(ahead));
  expect(shown(after(last.asOf, ahead))).toEqual(shown(withSnapshot(null, last, 0)));
});

test('a finished execution stays finished, whatever old answers and events still come', () => {
  let state = after(last.asOf, begun());
  for (const detail of details) {
    state = withSnapshot(withDetail(state, detail, 0), detail, 0);
    expect(state.detail.status).toBe('failed');
    expect(shown(withEvents(state, events))).toEqual(shown(state));
  }
});

test('in whatever order answers and events come, nothing goes back and the end is right', () => {
  const rank = { pending: 0, running: 1, paused: 1, completed: 2, failed: 2, cancelled: 2 };
  for (let seed = 1; seed <= 25; seed++) {
    const random = randomOf(seed);
    let state = begun();
    let next = 0;
    while (next < events.length || random() < 0.8) {
      const before = state;
      const choice = random();
      if (choice < 0.5) {
        // the stream goes on, sometimes from a little earlier
        const from = Math.max(0, next - Math.floor(random() * 5));
        next = Math.min(events.length, next + Math.floor(random() * 8));
        state = withEvents(state, events.slice(from, next));
      } else {
        // an answer, as old or as new as it happens to be
        const detail = details[Math.floor(random() * details.length)] as ExecutionDetail;
        state = choice < 0.6 ? withSnapshot(state, detail, 0) : withDetail(state, detail, 0);
      }
      expect(rank[state.detail.status]).toBeGreaterThanOrEqual(rank[before.detail.status]);
      expect(state.detail.jobCounts.total).toBeGreaterThanOrEqual(before.detail.jobCounts.total);
      expect(state.jobs.list.length).toBeGreaterThanOrEqual(before.jobs.list.length);
      for (const job of before.jobs.list) {
        if (hasEnded(job.status)) expect(state.jobs.byId.get(job.jobId)?.status).toBe(job.status);
      }
    }
    state = withEvents(state, events);
    expect(shown(state), `seed ${seed}`).toEqual(shown(withSnapshot(null, last, 0)));
  }
});

test('the pages of jobs that come while the execution goes on lose no event', () => {
  // a snapshot with the first two jobs, a page with the others that is as old as the snapshot and comes last
  const snapshot = { ...at(40), jobs: at(40).jobs.slice(0, 2), jobsCursor: 'more' };
  let state = withSnapshot(null, snapshot, 0);
  expect(state.jobs.complete).toBe(false);
  state = after(last.asOf, state);
  state = withDetail(state, { ...last, jobs: last.jobs.slice(0, 2), jobsCursor: 'more' }, 0);
  state = withJobs(state, at(40).jobs.slice(2), 40, true);
  expect(state.jobs.complete).toBe(true);
  expect(shown(state)).toEqual(shown(withSnapshot(null, last, 0)));
  expect(state.events, 'what the answers hold is not kept').toEqual([]);
});

test('rows that did not change stay the same objects', () => {
  const state = withDetail(after(at(49).asOf, begun()), at(49), 0);
  const read = withDetail(state, structuredClone({ ...at(49), banner: 'another' }), 0);
  expect(read.detail.banner).toBe('another');
  expect(read.detail.nodes).toBe(state.detail.nodes);
  expect(read.jobs.list).toBe(state.jobs.list);
  const later = after(at(53).asOf, read);
  expect(later.jobs.list[0]).toBe(state.jobs.list[0]);
  expect(later.detail.nodes[0]).toBe(state.detail.nodes[0]);
});

test('a job of an iteration that began unheard gets its place from the other jobs of that iteration, or is read', () => {
  const known = withSnapshot(null, at(32), 0);
  const unheard = { ...known, paths: new Map<string, string>() };
  const state = after(at(37).asOf, unheard);
  expect(state.jobs.list.map((job) => job.item)).toEqual(at(37).jobs.map((job) => job.item));
  const alone = withEvents(
    { ...unheard, jobs: { ...unheard.jobs, list: [], byId: new Map() } },
    events.filter((event) => event.position > 32 && event.topic === 'job.scheduled').slice(0, 1),
  );
  const [jobId = ''] = alone.jobs.vague;
  expect(alone.jobs.byId.get(jobId)).toMatchObject({ item: null, nodeName: 'clean' });
  const row = last.jobs.find((job) => job.jobId === jobId);
  if (row === undefined) throw new Error('the job is not in the last answer');
  const told = withJobs(alone, [row], last.asOf, false);
  expect(told.jobs.vague.size).toBe(0);
  expect(told.jobs.byId.get(jobId)).toMatchObject({ item: row.item, nodeName: 'Clean' });
});

/** Numbers from 0 to 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
