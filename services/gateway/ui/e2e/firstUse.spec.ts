import { Server } from './server';
import { test as base, expect, lookAt } from './test';

/** An empty system of its own, and a browser that has never been there. */
const test = base.extend<{ server: Server }>({
  // biome-ignore lint/correctness/noEmptyPattern: how a fixture without others is written
  server: async ({}, use) => {
    const server = await Server.start();
    await use(server);
    await server.remove();
  },
  page: async ({ browser }, use) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    await use(page);
    expect(complaints).toEqual([]);
    await context.close();
  },
});

test('from the printed address to an execution that is over, by nothing but what the pages show', async ({
  page,
  server,
}) => {
  const address = /Sign in\s+(\S+)/;
  await expect.poll(() => server.printed).toMatch(address);
  await page.goto(address.exec(server.printed)?.[1] ?? '');

  const steps = page.getByRole('list').filter({ has: page.getByText('Connect an agent') });
  await expect(page.getByRole('heading', { name: 'First steps' })).toBeVisible();
  await expect(steps.getByRole('listitem').first()).toContainText('local is online in pool default');
  await expect(steps.locator('[aria-current=step]')).toContainText('Make a workflow from a template');
  await lookAt(page);

  await steps.getByRole('button', { name: 'Use it (Hello)' }).click();
  await steps.getByRole('button', { name: 'Run Hello and watch' }).click();
  await expect(page).toHaveURL(/\/automation\/executions\/[0-9a-f-]{36}/);
  await expect(page.getByText('Completed').first()).toBeVisible();

  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Executions' }).click();
  await expect(page.getByRole('heading', { name: 'Runyard works here' })).toBeVisible();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.reload();
  await expect(page.getByRole('link', { name: /Hello/ })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Runyard works here' })).toHaveCount(0);
});
