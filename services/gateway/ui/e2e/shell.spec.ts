import { expect, pageOf, test } from './test';

test('whoever is not signed in is asked to, and comes back to where they wanted to go', async ({ browser, api }) => {
  const page = await browser.newPage({ baseURL: api.url });
  await page.goto('/automation/agents');
  await expect(page).toHaveURL(/\/sign-in\?returnTo=%2Fautomation%2Fagents$/);
  await page.close();
});

test('every place is reached by keys alone', async ({ page }) => {
  await page.goto('/');
  await expect(page).toHaveURL('/automation/executions');
  for (const [keys, address] of [
    ['gw', '/automation/workflows'],
    ['ga', '/automation/analytics'],
    ['gx', '/settings'],
  ] as const) {
    for (const key of keys) await page.keyboard.press(key);
    await expect(page).toHaveURL(address);
  }
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keys' })).toBeVisible();
});

test('a page that is opened while the server is away says so, and opens when it is back', async ({ browser, api }) => {
  const page = await pageOf(browser, api, api.token);
  await page.goto('/automation/executions');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await page.context().setOffline(true);
  await page.getByRole('link', { name: 'Analytics' }).click();
  await expect(page.getByRole('alert')).toContainText('This page cannot be loaded now');
  await expect(page.getByRole('link', { name: 'Executions' })).toBeVisible();
  await page.context().setOffline(false);
  await expect(page.getByRole('heading', { name: 'Analytics', level: 1 })).toBeVisible();
  await page.context().close();
});
