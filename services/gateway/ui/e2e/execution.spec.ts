import { type Api, expect, expectUsable, lookAt, test, unique, watchShifts } from './test';

const bash = (id: string, name: string, script: string, more: object = {}) => ({
  id,
  type: 'action',
  name,
  action: 'script.bash',
  params: { script },
  ...more,
});

/** Checks, asks, and restarts what may then fail, for which there may be an edge. */
function restart(name: string) {
  return {
    name,
    inputs: {
      type: 'object',
      properties: { host: { type: 'string', default: 'web-01' }, fails: { type: 'boolean', default: false } },
    },
    nodes: [
      bash('check', 'Check disk', 'printf 97'),
      { id: 'full', type: 'condition', name: 'Disk full?', expression: 'int(nodes.check.output.stdout) > 90' },
      { id: 'note', type: 'setVariables', name: 'Note usage', values: { usage: '{{ nodes.check.output.stdout }}' } },
      { id: 'ask', type: 'approval', name: 'Ask on-call', message: 'Restart {{ inputs.host }}?', timeoutSeconds: 900 },
      bash(
        'restart',
        'Restart nginx',
        'echo restarting; if [ {{ inputs.fails }} = true ]; then echo broken >&2; exit 3; fi',
      ),
    ],
    edges: [
      { from: 'trigger', to: 'check' },
      { from: 'check', to: 'full' },
      { from: 'full', port: 'true', to: 'note' },
      { from: 'note', to: 'ask' },
      { from: 'ask', port: 'approved', to: 'restart' },
    ],
  };
}

async function approve(api: Api, executionId: string): Promise<void> {
  const { items } = await api.call('GET', `/approvals?executionId=${executionId}&status=pending`);
  await api.call('POST', `/approvals/${items[0].approvalId}/approve`, { note: 'go ahead' });
}

async function failedRun(api: Api): Promise<string> {
  const executionId = await api.run(await api.workflow(restart(unique('Restart'))), { fails: true });
  await api.until(executionId, 'paused');
  await approve(api, executionId);
  await api.until(executionId, 'failed');
  return executionId;
}

test('a run is watched live: it runs, waits for people, is answered in place, and completes', async ({ page, api }) => {
  const name = unique('Restart');
  const executionId = await api.run(await api.workflow(restart(name)), { host: 'db-07' });
  await page.goto(`/automation/executions/${executionId}`);
  const banner = page.getByRole('region', { name: 'Status' });
  await expect(banner).toContainText('Waiting for approval by anyone who may execute');
  await expect(banner).toContainText('“Restart db-07?”');
  await expect(banner).toContainText(/expires in 1[45] min/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await expect(page.getByText('1 of 1', { exact: true })).toBeVisible();
  await lookAt(page);

  await banner.getByRole('button', { name: 'Answer' }).click();
  await expect(page).toHaveURL(/tab=approvals/);
  await page.getByRole('button', { name: 'Approve' }).click();
  await expect(banner).toContainText('Completed in');
  await expect(page.getByText('2 of 2', { exact: true })).toBeVisible();
  await expect(page.getByText('Live', { exact: true })).toBeHidden();
});

test('what a run knew and what it decided is read in its variables and its log', async ({ page, api }) => {
  const executionId = await api.run(await api.workflow(restart(unique('Restart'))), { host: 'db-07' });
  await api.until(executionId, 'paused');
  await approve(api, executionId);
  await api.until(executionId, 'completed');
  await page.goto(`/automation/executions/${executionId}`);
  await expect(page.getByRole('region', { name: 'Status' })).toContainText('Completed in');
  await page.keyboard.press('v');
  await expect(page).toHaveURL(/tab=variables/);
  const variables = page.getByRole('tabpanel');
  await expect(variables).toContainText('hostdb-07');
  await expect(variables).toContainText('usage97');
  await expect(variables).toContainText('respondedByadmin');

  await page.keyboard.press('l');
  const log = page.getByRole('log');
  await expect(log).toContainText(
    'Disk full? is true: int(nodes.check.output.stdout) > 90, with nodes.check.output.stdout = "97"',
  );
  await page.keyboard.press('/');
  await page.keyboard.type('approved by admin');
  await expect(page.getByRole('tabpanel').getByRole('status')).toHaveText(/^1 of \d+ lines$/);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/find=approved\+by\+admin/);
  await page.reload();
  await expect(log).toContainText('was approved by admin via api: go ahead');
  await expectUsable(page);
});

test('a failure leads to its first error', async ({ page, api }) => {
  const executionId = await failedRun(api);
  await page.goto(`/automation/executions/${executionId}`);
  const banner = page.getByRole('region', { name: 'Status' });
  await expect(banner).toContainText('Failed: the script ended with exit code 3');
  await expect(banner).toContainText('Restart nginx, script.bash, on local');
  await lookAt(page);

  await page.keyboard.press('e');
  await expect(page).toHaveURL(/tab=log&at=error/);
  await expect(page.locator('[data-found=true]')).toContainText('Restart nginx failed after');
  await page.locator('[data-found=true]').getByRole('button', { name: 'Restart nginx' }).click();
  await expect(page).toHaveURL(/node=restart/);
  await expect(page.getByRole('log')).not.toContainText('Check disk');
});

test('a failed execution is run again from the node that failed, with other inputs', async ({ page, api }) => {
  const executionId = await failedRun(api);
  await page.goto(`/automation/executions/${executionId}`);
  const banner = page.getByRole('region', { name: 'Status' });
  await expect(banner).toContainText('Failed');
  await page.keyboard.press('r');
  const dialog = page.getByRole('dialog', { name: 'Run this again' });
  await expect(dialog.getByRole('radio', { name: 'From a node on' })).toBeChecked();
  await expect(dialog.getByRole('combobox', { name: 'The node to begin with' })).toHaveValue('Restart nginx (failed)');
  await dialog.getByRole('radio', { name: 'Others' }).check();
  await dialog.getByText('YAML', { exact: true }).click();
  const inputs = dialog.getByRole('textbox', { name: 'Inputs as YAML' });
  await expect(inputs).toHaveValue(/fails: true/);
  await inputs.fill('fails: maybe');
  await dialog.getByRole('button', { name: 'Run again' }).click();
  await expect(dialog.getByText(/^fails /)).toBeVisible();
  await inputs.fill('fails: false');
  await dialog.getByRole('button', { name: 'Run again' }).click();
  await expect(page).not.toHaveURL(new RegExp(executionId));
  await expect(banner).toContainText('Completed in');
  await expect(page.getByText('1 of 1', { exact: true })).toBeVisible();
  await page.getByRole('link', { name: `…${executionId.slice(-8)}` }).click();
  await expect(page).toHaveURL(new RegExp(executionId));
  await expect(page.getByText('Re-run', { exact: true })).toBeVisible();
});

test('a running execution is cancelled with a reason, and its job is stopped where it runs', async ({
  page,
  api,
  gate,
}) => {
  const document = {
    name: unique('Report'),
    nodes: [
      bash('build', 'Build report', `echo begun; ${gate.wait('never')}`),
      bash('rescue', 'Rescue', 'true'),
      {
        id: 'far',
        type: 'action',
        name: 'Upload',
        action: 'script.bash',
        tags: ['nowhere'],
        params: { script: 'true' },
      },
    ],
    edges: [
      { from: 'trigger', to: 'build' },
      { from: 'trigger', to: 'far' },
      { from: 'build', port: 'error', to: 'rescue' },
    ],
  };
  const executionId = await api.run(await api.workflow(document));
  await page.goto(`/automation/executions/${executionId}`);
  const banner = page.getByRole('region', { name: 'Status' });
  await expect(banner).toContainText('Build report is running on local');
  await expect(banner).toContainText('nowhere');
  await lookAt(page);
  const shifts = await watchShifts(page);
  const before = await banner.textContent();
  await expect.poll(() => banner.textContent(), 'it ticks').not.toBe(before);
  expect(await shifts(), 'nothing moves by itself').toEqual([]);

  await page.keyboard.press('c');
  const dialog = page.getByRole('dialog', { name: 'Cancel this execution' });
  await expect(dialog).toContainText('The job that is running');
  await dialog.getByRole('textbox', { name: 'Reason' }).fill('wrong host');
  await dialog.getByRole('radio', { name: /stopped on its agent/ }).check();
  await dialog.getByRole('button', { name: 'Cancel the execution' }).click();
  await expect(dialog).toBeHidden();
  await expect(banner).toContainText('Cancelled by admin: wrong host');
  await page.keyboard.press('l');
  await expect(page.getByRole('log')).toContainText('was stopped on its agent, which confirms it');

  // somebody else's late cancel is refused, in words
  await expect(page.getByRole('button', { name: 'Cancel' })).toHaveAttribute('aria-disabled', 'true');
});

test('an execution that is not there says so, and where to go', async ({ page }) => {
  await page.goto('/automation/executions/01a20705-0000-7000-8000-000000000000');
  await expect(page.getByRole('heading', { name: 'There is no such execution' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'all executions' })).toBeVisible();
});
