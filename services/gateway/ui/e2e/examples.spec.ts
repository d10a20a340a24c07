import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Page } from '@playwright/test';
import { type Api, expect, test } from './test';

const EXAMPLES = resolve(import.meta.dirname, '../../../../examples');
let place = '';

test.beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'runyard-examples-'));
  mkdirSync(join(place, 'files'));
  writeFileSync(join(place, 'files', 'one.txt'), 'something worth keeping');
});

test.afterAll(() => rmSync(place, { recursive: true, force: true }));

/** Publishes an example by its own name (some call others by it), opens the form to run it, and fills in what is said. */
async function start(page: Page, api: Api, file: string, inputs: Record<string, string>): Promise<void> {
  const text = readFileSync(join(EXAMPLES, file), 'utf8');
  const done = await api.call('POST', '/workflows/import?publish=true&activate=true', text, 'application/yaml');
  await api.known(done.position);
  await page.goto(`/automation/workflows/${done.items[0].workflowId}?run=1`);
  const dialog = page.getByRole('dialog', { name: /^Run / });
  for (const [name, value] of Object.entries(inputs)) await dialog.getByLabel(name).fill(value);
  await dialog.getByRole('button', { name: 'Run' }).click();
  await expect(page).toHaveURL(/\/automation\/executions\/[0-9a-f-]{36}$/);
}

/** The end of the execution as its page says it, which has been open since its beginning. */
async function ends(page: Page, words: RegExp): Promise<void> {
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page.getByText(words).first()).toBeVisible();
}

test('each example runs to its end, watched from its form on', async ({ page, api }) => {
  await start(page, api, 'hello.yaml', { Gateway: api.url });
  await ends(page, /^Completed in/);
  await start(page, api, 'watch-service.yaml', { URL: `${api.url}/healthz` });
  await ends(page, /^Completed in/);
  await start(page, api, 'rollout.yaml', { Root: join(place, 'rollout') });
  await ends(page, /^Completed in/);
  await start(page, api, 'backup-files.yaml', { Source: join(place, 'files'), Target: join(place, 'backups') });
  await ends(page, /^Completed in/);
});

test('a fleet is updated after somebody has agreed on the page of the execution', async ({ page, api }) => {
  const backup = readFileSync(join(EXAMPLES, 'backup-files.yaml'), 'utf8');
  await api.call('POST', '/workflows/import?publish=true&activate=true', backup, 'application/yaml');
  await start(page, api, 'fleet-update.yaml', { Root: join(place, 'fleet') });
  await expect(page.getByText(/Waiting for approval/).first()).toBeVisible();
  await page.getByRole('button', { name: 'Answer' }).click();
  await page.getByRole('article', { name: 'Go ahead?' }).getByRole('button', { name: 'Approve' }).click();
  await ends(page, /^Completed in/);
});
