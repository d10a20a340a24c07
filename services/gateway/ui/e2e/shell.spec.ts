import { expect, test } from './test';

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
