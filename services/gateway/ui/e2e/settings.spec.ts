import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { park } from './parked';
import { expect, lookAt, pageOf, test, unique } from './test';

const name = (of: string) => unique(of).replace(' ', '-');

test('a user is made with a key, and may do what a role of the tenant gives', async ({ page, api, browser }) => {
  const role = name('night-shift');
  await page.goto('/settings/roles');
  await page.getByRole('button', { name: 'New role' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill(role);
  await dialog.getByLabel('Execute').check();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('row', { name: role })).toContainText('Of this tenant');
  await lookAt(page);

  const user = name('alice');
  await page.getByRole('link', { name: 'Users', exact: true }).click();
  await page.getByRole('button', { name: 'New user' }).click();
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill(user);
  await dialog.getByLabel('Display name').fill('Alice');
  const roles = dialog
    .getByRole('combobox', { name: 'Roles' })
    .or(dialog.getByRole('textbox', { name: 'Roles' }))
    .first();
  await roles.press('Backspace');
  await roles.fill(role);
  await roles.press('Enter');
  await dialog.getByRole('button', { name: 'Create' }).click();

  await expect(dialog).toContainText('Shown this once');
  const key = await dialog.getByRole('region', { name: 'Key' }).innerText();
  await dialog.getByRole('button', { name: 'I have stored the key' }).click();
  await page.getByLabel('Find users').fill(user);
  const row = page.getByRole('row', { name: user });
  await expect(row).toContainText('Alice');
  await expect(row).toContainText('ViewExecute');
  await lookAt(page);

  const theirs = await pageOf(browser, api, key);
  await theirs.goto('/settings/profile');
  await expect(theirs.getByRole('link', { name: 'Retention' })).toBeVisible();
  await expect(theirs.getByRole('link', { name: /Audit log|Parked messages/ })).toHaveCount(0);
  const own = theirs.getByRole('region', { name: 'Your API keys' });
  await expect(own.getByRole('row')).toHaveCount(2);
  const { keyId } = await api.call('POST', '/api-keys', { user, name: 'lost' });
  await theirs.reload();
  await own
    .getByRole('row', { name: /lost/ })
    .getByRole('button', { name: /^Revoke/ })
    .click();
  await theirs.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(own.getByRole('row', { name: /lost/ })).toHaveCount(0);
  const { items } = await api.call('GET', `/api-keys?user=${user}`);
  expect(items.find((each: { keyId: string }) => each.keyId === keyId).revokedAt).not.toBeNull();
  await theirs.goto('/settings/users');
  await expect(theirs.getByText('It needs the permission automation:admin')).toBeVisible();

  await theirs.context().close();
  await row.getByRole('button', { name: `Actions for ${user}` }).click();
  await page.getByRole('menuitem', { name: 'Delete …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('Nobody is found')).toBeVisible();
  await api.call('DELETE', `/roles/${role}`);
});

test('whose key is revoked is out at once, and the audit log has it', async ({ page, api, browser }) => {
  const user = name('bob');
  await api.call('POST', '/users', { name: user, roles: ['viewer'] });
  const { key } = await api.call('POST', '/api-keys', { user, name: 'first' });
  const theirs = await pageOf(browser, api, key);
  await theirs.goto('/settings/profile');
  await expect(theirs.getByRole('definition').getByText(user)).toBeVisible();

  await page.goto(`/settings/users?q=${user}`);
  await page.getByRole('button', { name: `Actions for ${user}` }).click();
  await page.getByRole('menuitem', { name: 'Show their API keys' }).click();
  await expect(page).toHaveURL(`/settings/api-keys?user=${user}`);
  await lookAt(page);
  await page.getByRole('button', { name: /^Revoke/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(page.getByText('has no key that opens anything')).toBeVisible();
  await page.getByLabel('Also those that were revoked or have expired').click(); // the address says it, a moment later
  await expect(page.getByRole('row', { name: 'first' })).toContainText('Revoked');
  await theirs.reload();
  await expect(theirs).toHaveURL(/\/sign-in/);
  await theirs.context().close();

  await page.goto(`/settings/audit?operation=revokeApiKey`);
  await expect(page.getByRole('row', { name: /Revoke API key/ }).first()).toContainText('Done');
  await lookAt(page);
  await api.call('DELETE', `/users/${user}`);
});

test('a channel is made from the address of a webhook, tested, and deleted', async ({ page }) => {
  const bodies: string[] = [];
  const receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      bodies.push(body);
      response.end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;

  const channel = name('oncall');
  await page.goto('/settings/channels');
  await page.getByRole('button', { name: 'New channel' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill(channel);
  await dialog.getByText('Webhook', { exact: true }).click();
  await dialog.getByLabel('Address').fill('here');
  await expect(dialog.getByText('A webhook is an address such as')).toBeVisible();
  await dialog.getByLabel('Address').fill(`http://127.0.0.1:${port}/told`);
  await dialog.getByRole('button', { name: 'Create' }).click();
  const row = page.getByRole('row', { name: channel });
  await row.getByRole('button', { name: `Send a test to ${channel}` }).click();
  await expect(row.getByRole('status')).toContainText('Delivered');
  expect(bodies.join()).toContain('Runyard');
  receiver.close();
  receiver.closeAllConnections();
  await row.getByRole('button', { name: `Send a test to ${channel}` }).click();
  await expect(row.getByRole('status')).not.toContainText('Sending');
  await expect(row.getByRole('status')).not.toContainText('Delivered');
  await lookAt(page);
  await row.getByRole('button', { name: `Actions for ${channel}` }).click();
  await page.getByRole('menuitem', { name: 'Delete …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(row).toHaveCount(0);
});

test('a read model is compared with the log in place, and how long data is kept is told', async ({ page }) => {
  await page.goto('/settings/retention');
  await expect(page.getByRole('radiogroup', { name: 'Output of jobs' })).toContainText('As this installation does');
  await lookAt(page);

  await page.goto('/settings/read-models');
  const executions = page.getByRole('row', { name: /^executions/ });
  await executions.getByRole('button', { name: 'Actions for executions' }).click();
  await page.getByRole('menuitem', { name: 'Compare with the log' }).click();
  await expect(executions).toContainText('What the log says');
  await lookAt(page);
});

test('what nobody could handle is listed with its reason, sent again, and dropped', async ({ page, api }) => {
  await park(api, name('stray'), 3);
  await page.goto('/settings/parked-messages');
  await expect(page.getByRole('link', { name: /^Parked messages\s*3/ })).toBeVisible();
  const rows = page.getByRole('row', { name: /JobFinished/ });
  await expect(rows).toHaveCount(3);
  await expect(rows.first()).toContainText('for Orchestrator');
  await expect(rows.first()).toContainText('3 times');
  await lookAt(page);

  await rows.first().getByRole('link', { name: 'JobFinished' }).click();
  const drawer = page.getByRole('dialog', { name: 'Parked message' });
  await expect(drawer).toContainText('default as it says itself');
  await expect(drawer).toContainText('exitCode');
  await lookAt(page);
  await drawer.getByRole('button', { name: 'Send again …' }).click();
  const question = page.getByRole('dialog', { name: 'Send this message again?' });
  await expect(question).toContainText('comes back here');
  await question.getByRole('button', { name: 'Send again' }).click();
  await expect(drawer).toContainText('6 times, parked twice');
  await drawer.getByRole('button', { name: 'Close' }).click();

  await page.getByLabel('Part of the reason or kind').fill('jobfinished');
  await expect(page).toHaveURL(/q=jobfinished/);
  await page.getByLabel('Select all that are shown').check();
  await page.getByRole('button', { name: 'Drop 3 …' }).click();
  const drop = page.getByRole('dialog', { name: 'Drop 3 messages?' });
  await expect(drop).toContainText('will never be handled');
  await drop.getByRole('button', { name: 'Drop for good' }).click();
  await expect(page.getByText('No message is found')).toBeVisible();
  await page.getByRole('button', { name: 'Show all that wait' }).click();
  await expect(page.getByText('No message is parked')).toBeVisible();
  await page.getByText('Dropped', { exact: true }).click();
  await expect(rows).toHaveCount(3);
  await expect(rows.first()).toContainText('by admin');
  expect((await api.call('GET', '/parked-messages?status=dropped')).items).toHaveLength(3);
});

test('the tenants, the installation and oneself are told', async ({ page }) => {
  await page.goto('/settings/tenants');
  await expect(page.getByRole('row', { name: /default/ })).toContainText('(yours)');
  await lookAt(page);
  await page.goto('/settings/about');
  await expect(page.getByText('The gateway has all that it needs')).toBeVisible();
  await lookAt(page);
  await page.goto('/settings/profile');
  await expect(page.getByText('automation:installation')).toBeVisible();
  await lookAt(page);
});
