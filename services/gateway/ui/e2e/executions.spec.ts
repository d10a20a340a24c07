import { expect, lookAt, pageOf, test, unique, watchShifts } from './test';

function quick(name: string, script = 'true') {
  return {
    name,
    triggers: [{ type: 'manual' }],
    nodes: [{ id: 'work', type: 'action', action: 'script.bash', params: { script } }],
    edges: [{ from: 'trigger', to: 'work' }],
  };
}

test('the list follows an execution without moving, and says when there are new ones', async ({ page, api, gate }) => {
  const workflowId = await api.workflow(quick(unique('Followed'), gate.wait('end')));
  // what stands below would show it if the row above became lower
  await api.run(workflowId);
  const first = await api.run(workflowId);
  await api.until(first, 'running');
  await page.goto(`/automation/executions?workflowId=${workflowId}`);
  const row = page.getByRole('row', { name: new RegExp(first.slice(-8)) });
  await expect(row).toContainText(/Running|Pending/);
  await expect(row).toContainText('0 / 1');
  await expect(row).toContainText(/work is running on \S+ for \d/i);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  const shifts = await watchShifts(page);
  gate.open('end');
  await expect(row).toContainText('Completed');
  await expect(row).toContainText('1 / 1');
  const second = await api.run(workflowId);
  const fresh = page.getByRole('button', { name: 'Show 1 new' });
  await expect(fresh).toBeVisible();
  await expect(page.getByRole('row', { name: new RegExp(second.slice(-8)) })).toHaveCount(0);
  expect(await shifts()).toEqual([]);
  await fresh.click();
  await expect(page.getByRole('row', { name: new RegExp(second.slice(-8)) })).toBeVisible();
  await expect(fresh).toHaveCount(0);
});

test('filters live in the address, and keys go through the list', async ({ page, api }) => {
  const name = unique('Filtered');
  const good = await api.workflow(quick(`${name} good`));
  const bad = await api.workflow(quick(`${name} bad`, 'exit 3'));
  const [completed, failed] = [await api.run(good), await api.run(bad)];
  await api.until(completed, 'completed');
  await api.until(failed, 'failed');

  await page.goto('/automation/executions');
  await expect(page.getByRole('row').first()).toBeVisible();
  await page.keyboard.press('/');
  await page.keyboard.type(name);
  await expect(page.getByRole('row')).toHaveCount(3);
  await page.getByRole('button', { name: /^Failed/ }).click();
  await expect(page).toHaveURL(/q=.*&status=failed/);
  await expect(page.getByRole('row')).toHaveCount(2);
  await expect(page.getByRole('row').nth(1)).toContainText('The script ended with exit code 3');
  await page.getByRole('combobox', { name: 'Trigger' }).click();
  await page.getByRole('option', { name: 'Manual' }).click();
  await page.getByRole('combobox', { name: 'Started' }).click();
  await page.getByRole('option', { name: 'Last hour' }).click();
  await expect(page).toHaveURL(/trigger=manual&range=1h/);
  await expect(page.getByRole('row')).toHaveCount(2);
  await page.reload();
  const link = page.getByRole('link', { name: `${name} bad` });
  await expect(link).toBeVisible();
  // on a small laptop the name still has a line of its own
  await page.setViewportSize({ width: 1024, height: 700 });
  expect((await link.boundingBox())?.height).toBeLessThan(30);
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`/automation/executions/${failed}`);
  await page.goBack();
  await expect(page.getByRole('row')).toHaveCount(2);

  await page.getByRole('textbox', { name: 'Workflow name or execution id' }).fill('nothing is called this');
  await expect(page.getByRole('heading', { name: 'No execution matches' })).toBeVisible();
  await page.getByRole('button', { name: 'Clear' }).click();
  await expect(page).toHaveURL('/automation/executions');
});

test('several are cancelled at once with a reason, and what has ended is run again', async ({ page, api }) => {
  const name = unique('Bulk');
  const workflowId = await api.workflow({
    name,
    triggers: [{ type: 'manual' }],
    nodes: [{ id: 'ask', type: 'approval', message: 'Shall it go on?' }],
    edges: [{ from: 'trigger', to: 'ask' }],
  });
  const executions = [await api.run(workflowId), await api.run(workflowId)];
  for (const each of executions) await api.until(each, 'paused');
  await page.goto(`/automation/executions?workflowId=${workflowId}`);
  await expect(page.getByText(/^Waiting for approval/).first()).toBeVisible();
  await page.getByRole('checkbox', { name: 'Select all that are shown' }).check();
  await lookAt(page);
  await page.getByRole('button', { name: 'Cancel 2' }).click();
  await page.getByLabel('Reason').fill('the change was called off');
  await page.getByRole('button', { name: 'Cancel them' }).click();
  await expect(page.getByText('Cancelled 2')).toBeVisible();
  for (const each of executions) await api.until(each, 'cancelled');
  await page.getByRole('checkbox', { name: 'Select all that are shown' }).check();
  await page.getByRole('button', { name: 'Re-run 2' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Re-run' }).click();
  await expect(page.getByText('Re-run 2')).toBeVisible();
  await expect.poll(async () => (await api.call('GET', `/executions?workflowId=${workflowId}`)).items.length).toBe(4);
  await api.call('POST', '/executions/bulk-cancel', { filter: { workflowId } });
});

test('whoever may only look has nothing to press, and an unreachable server is said', async ({ browser, api }) => {
  const user = unique('viewer').replace(' ', '-');
  await api.call('POST', '/users', { name: user, roles: ['viewer'] });
  const { key } = await api.call('POST', '/api-keys', { user });
  const page = await pageOf(browser, api, key);
  await page.goto('/automation/executions');
  await expect(page.getByRole('heading', { name: 'Executions' })).toBeVisible();
  await expect(page.getByRole('checkbox')).toHaveCount(0);
  await page.route('**/api/v1/executions?**', (route) => route.abort());
  await page.getByRole('button', { name: /^Completed/ }).click();
  await expect(page.getByRole('alert')).toContainText('cannot be reached');
  await page.unroute('**/api/v1/executions?**');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await page.context().close();
});
