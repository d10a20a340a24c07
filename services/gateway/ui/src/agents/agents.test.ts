import { expect, test } from 'vitest';
import type { AgentRow, PoolRow } from '@/api/types';
import { matching, readFilter, shown, writeFilter } from './agents';
import { poolWords } from './pools';

function agent(name: string, given: Partial<AgentRow> = {}): AgentRow {
  return {
    agentId: name,
    name,
    pool: 'default',
    tags: [],
    actions: ['script.bash'],
    version: '0.1.0',
    status: 'online',
    drained: false,
    reason: null,
    health: 100,
    running: 0,
    capacity: 2,
    transport: 'https',
    keyFingerprint: null,
    createdAt: '2026-11-23T06:00:00.000Z',
    registeredAt: null,
    lastHeartbeatAt: null,
    ...given,
  };
}

function pool(given: Partial<PoolRow> = {}): PoolRow {
  return {
    name: 'default',
    description: '',
    paused: false,
    pausedBy: null,
    pauseReason: '',
    agents: 1,
    online: 1,
    capacity: 2,
    running: 0,
    waiting: 3,
    ...given,
  };
}

test('agents are found by name, tag, version and action; revoked ones only when they are asked for', () => {
  const agents = [
    agent('db-1', { tags: ['eu', 'linux'] }),
    agent('db-2', { pool: 'dmz', actions: ['database.query'] }),
    agent('old', { status: 'revoked' }),
  ];
  const names = (query: string) =>
    shown(agents, readFilter(new URLSearchParams(query)))
      .map((each) => each.name)
      .join(' ');
  expect(names('')).toBe('db-1 db-2');
  expect(names('q=EU linux')).toBe('db-1');
  expect(names('q=database')).toBe('db-2');
  expect(names('pool=dmz&q=db-1')).toBe('');
  expect(names('status=revoked&status=lost')).toBe('old');
  expect(matching(agents, { q: '', pool: null })).toHaveLength(3);
});

test('the filter stands in the address beside what else is there', () => {
  const params = new URLSearchParams('agent=x&status=new&q=old');
  const next = writeFilter({ q: 'db', pool: 'dmz', statuses: ['offline'] }, params);
  expect(next.toString()).toBe('agent=x&q=db&pool=dmz&status=offline');
  expect(readFilter(next)).toEqual({ q: 'db', pool: 'dmz', statuses: ['offline'] });
});

test('a pool says why its jobs wait', () => {
  const busy = agent('a', { running: 2 });
  const said = (row: PoolRow, ...agents: AgentRow[]) => {
    const { state, detail } = poolWords(row, agents);
    return `${state}: ${detail}`;
  };
  expect(said(pool({ paused: true, pausedBy: 'ada', pauseReason: 'disk swap' }), agent('a'))).toBe(
    'paused: Paused by ada: disk swap. Nothing new is sent to its agents until it is resumed.',
  );
  expect(said(pool(), agent('a', { pool: 'dmz' }), agent('b', { status: 'revoked' }))).toMatch(
    /^empty: It has no agents/,
  );
  expect(said(pool(), agent('a', { status: 'offline' }), agent('b', { status: 'new' }))).toMatch(
    /^offline: 0 of 2 agents online/,
  );
  expect(said(pool(), agent('a', { status: 'draining', drained: true }))).toMatch(/^draining: /);
  expect(said(pool({ running: 2 }), busy)).toMatch(/^full: .* busy: 2 of 2 slots in use/);
  expect(said(pool({ running: 2 }), busy, agent('b'))).toMatch(/^ready: .* tags that no free agent has/);
  expect(said(pool({ waiting: 0 }), agent('a'))).toBe('ready: 0 of 2 slots in use.');
});
