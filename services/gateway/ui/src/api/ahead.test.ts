import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const ORIGIN = 'https://runyard.example.com';
let answers: Map<string, () => Promise<Response>>;
let asked: string[];

beforeEach(() => {
  vi.resetModules();
  answers = new Map();
  asked = [];
  vi.stubGlobal('location', { origin: ORIGIN });
  vi.stubGlobal('fetch', (input: string | Request) => {
    const address = new URL(typeof input === 'string' ? input : input.url, ORIGIN);
    asked.push(address.pathname + address.search);
    return (answers.get(address.pathname) ?? (async () => new Response('{}')))();
  });
});
afterEach(() => vi.unstubAllGlobals());

const get = (path: string) => new Request(ORIGIN + path);

test('the list is asked for at once as its page asks for it, and handed out once', async () => {
  const { askAhead, fetchOrTake } = await import('./ahead');
  askAhead({ pathname: '/automation/executions', search: '?q=disk&status=failed&status=running' });
  expect(asked).toEqual(['/api/v1/session', '/api/v1/executions?q=disk&status=running&status=failed&limit=50']);
  await fetchOrTake(get('/api/v1/session'));
  await fetchOrTake(get('/api/v1/executions?limit=50&q=disk&status=running&status=failed'));
  expect(asked).toHaveLength(2);
  await fetchOrTake(get('/api/v1/executions?limit=50&q=disk&status=running&status=failed'));
  expect(asked).toHaveLength(3);
});

test('what was refused or lost is asked for again: somebody may have signed in meanwhile', async () => {
  const { askAhead, fetchOrTake } = await import('./ahead');
  answers.set('/api/v1/session', async () => new Response('{}', { status: 401 }));
  answers.set('/api/v1/executions', () => Promise.reject(new TypeError('Failed to fetch')));
  askAhead({ pathname: '/', search: '' });
  answers.clear();
  expect((await fetchOrTake(get('/api/v1/session'))).status).toBe(200);
  expect((await fetchOrTake(get('/api/v1/executions?limit=50'))).status).toBe(200);
});

test('a command is never taken for what was asked before', async () => {
  const { askAhead, fetchOrTake } = await import('./ahead');
  askAhead({ pathname: '/settings', search: '' });
  await fetchOrTake(new Request(`${ORIGIN}/api/v1/session`, { method: 'DELETE' }));
  expect(asked).toEqual(['/api/v1/session', '/api/v1/session']);
});
