import { test as base, expect, lookAt, signIn, unique } from './test';

/** Not signed in, and hearing what the console says. */
const test = base.extend({
  page: async ({ browser, api }, use) => {
    const context = await browser.newContext({ baseURL: api.url });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    await use(page);
    expect(complaints).toEqual([]);
    await context.close();
  },
});

test('a key that opens nothing is said so, the right one leads to where one wanted to go', async ({ page, api }) => {
  await page.goto('/settings/profile?x=1');
  await expect(page).toHaveURL(/\/sign-in\?returnTo=/);
  const key = page.getByLabel('API key', { exact: true });
  await expect(key).toBeFocused();
  await lookAt(page);

  await key.fill('rya_nothing');
  await key.press('Enter');
  await expect(page.getByRole('alert')).toContainText('This key opens nothing here');
  await expect(key).toHaveAttribute('type', 'password');
  await page.getByRole('button', { name: 'Show the key' }).click();
  await expect(key).toHaveAttribute('type', 'text');

  await key.fill(`  ${api.token}\n`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL('/settings/profile?x=1');

  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(/\/sign-in/);
});

test('the printed address signs in by itself, and its key stays in no address', async ({ page, api }) => {
  const name = unique('comes-by-link').replace(' ', '-');
  await api.call('POST', '/users', { name, roles: ['viewer'] });
  const { key } = await api.call('POST', '/api-keys', { user: name, name: 'link' });
  const requested: string[] = [];
  page.on('request', (request) => requested.push(request.url() + (request.headers().referer ?? '')));
  await page.goto(`/sign-in#key=${encodeURIComponent(key)}`);
  await expect(page).toHaveURL('/automation/executions');
  await expect(page.getByText(name)).toBeVisible();
  expect(requested.filter((each) => each.includes(key))).toEqual([]);
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain(key);
  await page.goBack();
  expect(page.url()).not.toContain('key=');

  // whoever is signed in already is not asked again, and is led to no other site
  await page.goto('/sign-in?returnTo=//evil.example/');
  await expect(page).toHaveURL('/automation/executions');
  await api.call('DELETE', `/users/${name}`);
});

test('what the server says about too many attempts, and that it is away, is told', async ({ page, api }) => {
  await page.route('**/api/v1/session', async (route) => {
    if (route.request().method() !== 'POST') return route.fallback();
    await route.fulfill({
      status: 429,
      contentType: 'application/problem+json',
      body: JSON.stringify({ code: 'too_many_attempts', title: '', detail: '', status: 429, retryAfterSeconds: 30 }),
    });
  });
  await page.clock.install();
  await page.goto('/sign-in?problem=unavailable');
  await expect(page.getByRole('alert')).toContainText('The identity provider does not answer');
  await page.goto('/sign-in');
  await page.getByLabel('API key', { exact: true }).fill(api.token);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText(/The next one is taken in \d+ s/);
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeDisabled();
  await page.clock.fastForward(30_000);
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeEnabled();

  await page.unroute('**/api/v1/session');
  await page.context().setOffline(true);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('Runyard cannot be reached');
  await page.context().setOffline(false);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL('/automation/executions');
});

test('a link with a key that opens nothing leaves whoever is signed in signed in', async ({ page, api }) => {
  await signIn(page, api.url, api.token);
  await page.goto('/sign-in#key=old');
  await expect(page.getByRole('alert')).toContainText('This key opens nothing here');
  await page.getByRole('link', { name: 'go on' }).click();
  await expect(page).toHaveURL('/automation/executions');
});
