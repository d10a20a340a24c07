/** The pictures of the documentation: every page in light, dark and narrow. `make pictures` takes them; no test of anything. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Page } from '@playwright/test';
import { Server } from '../server';
import { Api, test as base, expect, signIn } from '../test';
import { approve, makeWorld, settled, WORKFLOWS, type World } from './world';

const IMAGES = resolve(import.meta.dirname, '../../../../../docs/images/web');

const test = base.extend<{ server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: how a fixture without others is written
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.remove();
    },
    { timeout: 120_000 },
  ],
});

async function take(page: Page, name: string): Promise<void> {
  mkdirSync(IMAGES, { recursive: true });
  for (const [look, scheme, width] of [
    ['light', 'light', 1280],
    ['dark', 'dark', 1280],
    ['narrow', 'light', 360],
  ] as const) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height: 800 });
    await page.mouse.move(0, 0);
    await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', scheme);
    await settled(page);
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    await page.screenshot({ path: `${IMAGES}/${name}-${look}.png`, animations: 'disabled' });
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
}

test('every page is taken as it looks in use', async ({ browser, request, server }) => {
  test.setTimeout(300_000);
  const api = new Api(request, server.url, server.token);
  const context = await browser.newContext({
    baseURL: server.url,
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  await page.goto('/sign-in');
  await take(page, 'sign-in');
  await signIn(page, server.url, server.token);
  await page.goto('/automation/executions');
  await expect(page.getByRole('heading', { name: 'First steps' })).toBeVisible();
  await take(page, 'first-steps');

  const world = await makeWorld(server, api);
  try {
    await pages(page, api, world);
  } finally {
    await world.end();
    await context.close();
  }
});

async function pages(page: Page, api: Api, { workflows, executions }: World): Promise<void> {
  const workflow = (name: string) => `/automation/workflows/${workflows[name]}`;
  await page.goto(`/automation/executions/${executions.paused}`);
  await expect(page.getByRole('region', { name: 'Status' })).toContainText('Waiting for approval');
  await take(page, 'execution-paused');
  await page.goto(`/automation/executions/${executions.failed}`);
  await expect(page.getByRole('region', { name: 'Status' })).toContainText('No space left on device');
  await take(page, 'execution-failed');
  await page
    .getByRole('row', { name: /Restore/ })
    .first()
    .click();
  await page
    .getByRole('dialog')
    .getByRole('tab', { name: /^stdout/ })
    .click();
  await expect(page.getByRole('dialog')).toContainText('slower than usual');
  await take(page, 'job');
  await page.goto('/automation/approvals');
  await expect(page.getByRole('article')).toHaveCount(4);
  await take(page, 'approvals');

  await approve(api, executions.running, 'smoke test looks good');
  await page.goto(`/automation/executions/${executions.running}`);
  const completed = async () => {
    const { jobs } = await api.execution(executions.running);
    return jobs.filter((each: { status: string }) => each.status === 'completed').length;
  };
  await expect.poll(completed, { timeout: 60_000 }).toBeGreaterThan(6);
  await take(page, 'execution-running');
  await page.goto('/automation/executions');
  await take(page, 'executions');

  await page.goto('/automation/workflows');
  await take(page, 'workflows');
  await page.goto(workflow('Deploy web tier'));
  await take(page, 'workflow');
  await page.goto(`${workflow('Deploy web tier')}?run=1`);
  await expect(page.getByRole('dialog')).toBeVisible();
  await take(page, 'run-form');
  await page.goto(`${workflow('Incident triage')}/edit?node=recentChange`);
  await expect(page.getByText('No problems: it can be published')).toBeVisible();
  await take(page, 'editor');
  const source = readFileSync(join(WORKFLOWS, 'disk-cleanup.yaml'), 'utf8');
  const changed = source
    .replace('script: "true"', 'script: "df --output=pcent,target"')
    .replace('images and', 'images, and');
  await api.call('PUT', `/workflows/${workflows['Disk cleanup']}/draft`, changed, 'application/yaml');
  await api.call('POST', `/workflows/${workflows['Disk cleanup']}/publish`);
  await page.goto(`${workflow('Disk cleanup')}?tab=versions&version=2&against=1`);
  await take(page, 'workflow-versions');
  await page.goto(`${workflow("Verify last night's backup")}?tab=triggers`);
  await take(page, 'workflow-triggers');

  await page.goto('/automation/analytics?range=14d&tz=Europe%2FBerlin');
  await take(page, 'analytics');
  await page.goto('/automation/agents');
  await take(page, 'agents');
  await page.getByRole('link', { name: 'berlin-1' }).click();
  await expect(page.getByRole('dialog')).toContainText('script.bash');
  await take(page, 'agent');
  await page.goto('/automation/agents?tab=pools');
  await take(page, 'pools');
  await page.goto('/automation/connections');
  await take(page, 'connections');
  await page.getByRole('link', { name: 'shop-api' }).click();
  await page.getByRole('button', { name: 'Test it' }).click();
  await expect(page.getByText('It works')).toBeVisible();
  await take(page, 'connection');
  for (const section of [
    'profile',
    'users',
    'roles',
    'api-keys',
    'channels',
    'audit',
    'retention',
    'read-models',
    'parked-messages',
    'tenants',
    'about',
  ]) {
    await page.goto(`/settings/${section}`);
    await take(page, `settings-${section}`);
  }
}
