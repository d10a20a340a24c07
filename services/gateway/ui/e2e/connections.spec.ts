import { expect, lookAt, test, unique } from './test';

test('a connection is made, tried out by an agent, changed without showing its secret again, disabled and deleted', async ({
  page,
  api,
}) => {
  const name = unique('probe').replaceAll(' ', '-');
  const secret = unique('hunter2-hunter2');
  await page.goto('/automation/connections');
  await page.getByRole('button', { name: 'New connection' }).click();
  const making = page.getByRole('dialog', { name: 'New connection' });
  await making.getByRole('combobox', { name: 'Kind' }).click();
  await page.getByRole('option', { name: 'HTTP' }).click();
  await making.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
  await making.getByLabel('Base URL').fill('nowhere');
  await making.getByLabel('Token').fill(secret);
  await making.getByRole('button', { name: 'Create it' }).click();
  await expect(making.getByText(/config.baseUrl/)).toBeVisible();
  await expect(making.getByLabel('Base URL')).toHaveAttribute('aria-invalid', 'true');

  await making.getByLabel('Base URL').fill(api.url);
  await making.getByRole('button', { name: 'Create it' }).click();
  const drawer = page.getByRole('dialog', { name });
  await expect(drawer.getByText('Enabled')).toBeVisible();
  await expect(page).toHaveURL(/connection=[0-9a-f-]{36}/);
  expect(await page.content()).not.toContain(secret);
  const token = drawer.getByRole('textbox', { name: 'Token' });
  await expect(token).toHaveValue('');
  await expect(token).toHaveAttribute('placeholder', /^Kept/);

  await drawer.getByRole('button', { name: 'Test it' }).click();
  await expect(drawer.getByText('It works')).toBeVisible();
  await expect(drawer.getByRole('status').filter({ hasText: 'It works' })).toContainText('just now');
  await expect(drawer.getByRole('region', { name: 'Used by' })).toContainText('No published workflow');
  const workflow = unique('Probes');
  const step = { id: 'ask', type: 'action', action: 'http.request', connection: name, params: { url: '/healthz' } };
  await api.workflow({ name: workflow, nodes: [step], edges: [{ from: 'trigger', to: 'ask' }] });
  await page.reload();
  await expect(drawer.getByRole('link', { name: workflow })).toBeVisible();
  await lookAt(page);

  // a port where nobody listens: the test says so, in words; the secret stays though it is not sent again
  await drawer.getByLabel('Base URL').fill('http://127.0.0.1:9');
  await expect(drawer.getByText('Save your changes first')).toBeVisible();
  await drawer.getByRole('button', { name: 'Save' }).click();
  await expect(drawer.getByRole('button', { name: 'Save' })).toBeDisabled();
  await expect(token).toHaveAttribute('placeholder', /^Kept/);
  await drawer.getByRole('button', { name: 'Test it' }).click();
  await expect(drawer.getByText('It does not work')).toBeVisible();

  await drawer.getByRole('button', { name: 'Disable …' }).click();
  await page
    .getByRole('dialog', { name: `Disable ${name}` })
    .getByRole('button', { name: 'Disable it' })
    .click();
  await expect(drawer.getByText('Jobs that use it fail at once')).toBeVisible();
  await expect(drawer.getByRole('button', { name: 'Test it' })).toBeDisabled();
  await drawer.getByRole('button', { name: 'Close' }).click();
  const row = page.getByRole('row', { name: new RegExp(name) });
  await expect(row).toContainText('Disabled');
  await expect(row).toContainText('Does not work');
  await lookAt(page);

  await row.getByRole('link', { name }).click();
  await drawer.getByLabel('Description').fill('to be lost');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog', { name: 'Leave without saving' }).getByRole('button', { name: 'Leave it' }).click();
  await expect(drawer.getByLabel('Description')).toHaveValue('to be lost');
  await drawer.getByRole('button', { name: 'Delete …' }).click();
  const question = page.getByRole('dialog', { name: `Delete ${name}` });
  await expect(question).toContainText('1 workflow uses it, and will fail');
  await expect(question.getByRole('link', { name: workflow })).toBeVisible();
  await question.getByRole('button', { name: 'Delete it' }).click();
  await expect(row).toHaveCount(0);
});
