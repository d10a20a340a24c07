import { Agent } from './agent';
import { expect, lookAt, signIn, test, unique } from './test';

const nameOf = (text: string) => unique(text).replaceAll(' ', '-');

test('an agent is created, started with what the page shows, watched, drained and revoked; its pool says why jobs wait', async ({
  page,
  api,
}) => {
  const [pool, name] = [nameOf('dmz'), nameOf('edge')];
  await page.goto('/automation/agents?tab=pools');
  await page.getByRole('button', { name: 'New pool' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill(pool);
  await page.getByRole('dialog').getByRole('button', { name: 'Create it' }).click();
  const row = page.getByRole('row', { name: new RegExp(pool) });
  await expect(row).toContainText('It has no agents');

  await row.getByRole('button', { name: `New agent in ${pool}` }).click();
  const making = page.getByRole('dialog', { name: 'New agent' });
  await making.getByRole('textbox', { name: 'Name' }).fill(name);
  await making.getByLabel('Tags').fill('eu, linux');
  await page.keyboard.press('Enter');
  await making.getByRole('button', { name: 'Create it' }).click();
  const shown = page.getByRole('dialog', { name: `The key of ${name}` });
  const key = await shown.getByRole('region', { name: 'Key', exact: true }).innerText();
  const command = await shown.getByRole('region', { name: 'Command' }).innerText();
  expect(command).toContain(key);
  await expect(shown.getByRole('status')).toContainText(`Waiting for ${name}`);
  await page.keyboard.press('Escape');
  await expect(shown).toBeVisible();

  const agent = new Agent(command);
  let had = '';
  try {
    await expect(shown.getByRole('status'), agent.toString()).toContainText(`${name} is online`);
    await shown.getByRole('button', { name: 'I have stored the key' }).click();
    await expect(shown).toBeHidden();
    expect(await page.content()).not.toContain(key);

    await expect(row).toContainText('Ready');
    await row.getByRole('button', { name: `Pause ${pool} …` }).click();
    await page.getByRole('dialog').getByLabel('Reason').fill('the rack is being moved');
    await page.getByRole('dialog').getByRole('button', { name: 'Pause it' }).click();
    await expect(row).toContainText('Paused by admin: the rack is being moved.');
    const workflowId = await api.workflow({
      name: unique('Pool'),
      nodes: [{ id: 'say', type: 'action', action: 'script.bash', pool, params: { script: 'echo hello' } }],
      edges: [{ from: 'trigger', to: 'say' }],
    });
    const executionId = await api.run(workflowId);
    await expect(row).toContainText('1');
    await lookAt(page);
    await row.getByRole('link', { name: 'Which, and why' }).click();
    const inside = page.getByRole('dialog', { name: `Pool ${pool}` });
    await expect(inside).toContainText(`Pool ${pool} is paused by admin: the rack is being moved1 job`);
    await expect(inside.getByRole('link', { name: 'say' })).toHaveAttribute('href', new RegExp(executionId));
    await lookAt(page);
    await page.keyboard.press('Escape');
    await row.getByRole('button', { name: `Resume ${pool}` }).click();
    await api.until(executionId, 'completed');

    await row.getByRole('link', { name: '1 of 1' }).click();
    await expect(page.getByRole('row', { name: new RegExp(name) })).toContainText('Online');
    await lookAt(page);
    await page.getByRole('link', { name }).click();
    const drawer = page.getByRole('dialog', { name });
    await expect(drawer).toContainText('script.bash');
    await expect(drawer.getByRole('heading', { name: 'Jobs it has now' })).toBeVisible();
    await expect(drawer.getByText('None.')).toBeVisible();
    had = (await drawer.getByRole('link', { name: 'Jobs it had' }).getAttribute('href')) ?? '';
    await drawer.getByRole('button', { name: 'Drain' }).click();
    await expect(drawer).toContainText('gets nothing new until it is resumed');
    await drawer.getByRole('button', { name: 'Resume' }).click();
    await expect(drawer.getByRole('button', { name: 'Drain' })).toBeVisible();
    await lookAt(page);
    await drawer.getByRole('button', { name: 'Revoke …' }).click();
    await page
      .getByRole('dialog', { name: `Revoke ${name}` })
      .getByRole('button', { name: 'Revoke it' })
      .click();
    await expect(drawer).toContainText('Revoked');
    expect(await agent.ended(), agent.toString()).toBe(3);
  } finally {
    await agent.remove();
  }
  await page.goto(had);
  await expect(page.getByRole('heading', { name: `Jobs of agent ${name}` })).toBeVisible();
  await expect(page.getByRole('row').filter({ has: page.getByRole('link') })).toHaveCount(1);
  await page.goto('/automation/agents?tab=pools');
  await row.getByRole('button', { name: `Delete ${pool} …` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete it' }).click();
  await expect(row).toHaveCount(0);
});

test('whoever may only look is told what it would take to do more', async ({ browser, api }) => {
  const user = nameOf('viewer');
  await api.call('POST', '/users', { name: user, roles: ['viewer'] });
  const { key } = await api.call('POST', '/api-keys', { user, name: 'test' });
  const page = await browser.newPage({ baseURL: api.url });
  await signIn(page, api.url, key);
  await page.goto('/automation/agents?new=agent');
  const create = page.getByRole('button', { name: 'New agent' });
  await expect(create).toHaveAttribute('aria-disabled', 'true');
  await expect(create).toHaveAccessibleDescription(/needs the permission automation:admin/);
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.goto('/automation/agents?tab=pools');
  await expect(page.getByRole('button', { name: /^Pause default/ })).toHaveAttribute('aria-disabled', 'true');
  await page.close();
});
