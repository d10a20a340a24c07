/** The installation of an operations team with a fortnight behind it, some work under way and some questions open. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Page } from '@playwright/test';
import { Agent } from '../agent';
import { park } from '../parked';
import type { Server } from '../server';
import { type Api, expect } from '../test';

const ROOT = resolve(import.meta.dirname, '../../../../..');
export const WORKFLOWS = join(import.meta.dirname, 'workflows');
const POOLS = {
  berlin: 'Hosts of the shop, behind the Berlin firewall',
  frankfurt: 'Databases and the backup store',
};
const AGENTS = [
  { name: 'berlin-1', pool: 'berlin', tags: ['linux', 'web'] },
  { name: 'berlin-2', pool: 'berlin', tags: ['linux', 'web'] },
  { name: 'frankfurt-1', pool: 'frankfurt', tags: ['linux', 'postgresql'] },
];

export interface World {
  /** Ids of workflows by name. */
  workflows: Record<string, string>;
  /** Ids of executions by what they show. */
  executions: { running: string; paused: string; failed: string };
  end(): Promise<void>;
}

export async function makeWorld(server: Server, api: Api): Promise<World> {
  for (const [name, description] of Object.entries(POOLS)) await api.call('POST', '/pools', { name, description });
  await people(api);
  await connections(api, server.url);
  const workflows: Record<string, string> = {};
  for (const file of readdirSync(WORKFLOWS)) {
    const source = readFileSync(join(WORKFLOWS, file), 'utf8');
    const made = await api.call('POST', '/workflows', source, 'application/yaml');
    await api.call('POST', `/workflows/${made.workflowId}/publish`);
    await api.call('POST', `/workflows/${made.workflowId}/activate`);
    workflows[made.name] = made.workflowId;
  }
  await server.stop();
  execFileSync(join(ROOT, '.venv/bin/python'), ['-m', 'tests.showcase', server.data], { cwd: ROOT });
  await server.run();

  const agents: Agent[] = [];
  for (const agent of AGENTS) {
    const { key } = await api.call('POST', '/agents', agent);
    agents.push(new Agent(`runyard-agent --url ${server.url} --key ${key}`));
  }
  await expect
    .poll(
      async () =>
        (await api.call('GET', '/agents')).items.filter((each: { status: string }) => each.status === 'online').length,
      { timeout: 60_000 },
    )
    .toBe(AGENTS.length + 1);
  // the read models have caught up with the fortnight
  await expect
    .poll(async () => (await api.call('GET', '/executions?limit=200')).items.length, { timeout: 60_000 })
    .toBe(200);
  return {
    workflows,
    executions: await work(api, workflows),
    end: async () => void (await Promise.all(agents.map((each) => each.remove()))),
  };
}

async function people(api: Api): Promise<void> {
  await api.call('PUT', '/roles/on-call', { permissions: ['automation:view', 'automation:execute'] });
  await api.call('PUT', '/roles/database', { permissions: ['automation:view', 'automation:execute'] });
  for (const [name, roles] of Object.entries({
    mara: ['admin'],
    jonas: ['on-call'],
    lea: ['on-call', 'database'],
    tomasz: ['viewer'],
  }))
    await api.call('POST', '/users', { name, roles });
  await api.call('POST', '/api-keys', { user: 'jonas', name: 'laptop' });
  await api.call('POST', '/api-keys', { user: 'mara', name: 'deployments from CI' });
}

async function connections(api: Api, url: string): Promise<void> {
  for (const made of [
    {
      name: 'shop-api',
      kind: 'http',
      description: 'The shop, as its monitoring user',
      config: { baseUrl: url },
      secrets: { token: 'not-a-real-token' },
    },
    {
      name: 'web-hosts',
      kind: 'ssh',
      description: 'web-01 to web-05, user deploy',
      config: { username: 'deploy', host: 'web-01.berlin.example' },
      secrets: { password: 'not-a-real-password' },
    },
    {
      name: 'ops-slack',
      kind: 'slack',
      description: '#operations',
      config: {},
      secrets: { webhookUrl: 'https://hooks.slack.example/services/T0/B0/x' },
    },
  ])
    await api.call('POST', '/connections', made);
}

/** What happens while the pictures are made. */
async function work(api: Api, workflows: Record<string, string>): Promise<World['executions']> {
  const start = (name: string, variables: object = {}) => api.run(workflows[name] ?? '', variables);
  const failed = await start("Verify last night's backup");
  const paused = await start('Fail over database', { cluster: 'orders' });
  await start('Incident triage', { host: 'web-03' });
  const asked = await start('Deploy web tier', { version: '4.12.1', hosts: ['web-02', 'web-03'] });
  const running = await start('Deploy web tier', {
    version: '4.12.0',
    hosts: ['web-02', 'web-03', 'web-04', 'web-05', 'web-06', 'web-07'],
  });
  await api.until(failed, 'failed');
  await api.until(paused, 'paused');
  await api.until(asked, 'paused');
  await api.until(running, 'paused');
  await park(api, 'by-hand', 3);
  return { running, paused, failed };
}

/** Answers the question of an execution. */
export async function approve(api: Api, executionId: string, note: string): Promise<void> {
  const { items } = await api.call('GET', `/approvals?executionId=${executionId}&status=pending`);
  await api.call('POST', `/approvals/${items[0].approvalId}/approve`, { note });
}

/** Waits until the page asks for nothing more and shows no skeleton. */
export async function settled(page: Page): Promise<void> {
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page.locator('[aria-busy=true], .mantine-Skeleton-root, .mantine-Loader-root')).toHaveCount(0);
  await page.evaluate(() => document.fonts.ready);
}
