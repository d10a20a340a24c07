import { expect, lookAt, pageOf, test, unique } from './test';

function gate(name: string, approval: object) {
  return {
    name,
    inputs: { type: 'object', properties: { host: { type: 'string' } } },
    triggers: [{ type: 'manual' }],
    nodes: [
      {
        id: 'disk',
        type: 'action',
        name: 'Look at the disk',
        action: 'script.bash',
        params: { script: 'echo 97 % full' },
      },
      {
        id: 'ask',
        type: 'approval',
        name: 'Clean up',
        message: 'Clean {{ inputs.host }}?',
        timeoutSeconds: 900,
        ...approval,
      },
      {
        id: 'yes',
        type: 'setVariables',
        values: { said: '{{ nodes.ask.output.responseNote }}', via: '{{ nodes.ask.output.respondedVia }}' },
      },
    ],
    edges: [
      { from: 'trigger', to: 'disk' },
      { from: 'disk', to: 'ask' },
      { from: 'ask', port: 'approved', to: 'yes' },
    ],
  };
}

test('an approval is decided from the inbox while somebody watches the execution', async ({ page, browser, api }) => {
  const approver = unique('approver').replace(' ', '-');
  await api.call('POST', '/users', { name: approver, roles: [] });
  const { key } = await api.call('POST', '/api-keys', { user: approver });
  const name = unique('Gate');
  const workflowId = await api.workflow(gate(name, { approvers: [approver] }));

  const inbox = await pageOf(browser, api, key);
  await inbox.goto('/automation/approvals');
  await expect(inbox.getByRole('heading', { name: 'Nothing waits for you' })).toBeVisible();

  const executionId = await api.run(workflowId, { host: 'web-01' });
  await page.goto(`/automation/executions/${executionId}`);
  const card = inbox.getByRole('article', { name: 'Clean up' });
  await expect(card).toContainText('Clean web-01?');
  await expect(card).toContainText('97 % full'); // what led to this, without a click
  await expect(card).toContainText(/Expires\s*in 1[0-9] min/);
  await expect(inbox.getByRole('link', { name: /Approvals\s*1 waiting for you/ })).toBeVisible();
  await lookAt(inbox);
  await card.getByLabel('Note').fill('go on, the backup is done');
  await card.getByRole('button', { name: 'Approve' }).click();
  await expect(inbox.getByRole('heading', { name: 'Nothing waits for you' })).toBeVisible();
  await expect(inbox.getByRole('link', { name: 'Approvals', exact: true })).toBeVisible();

  await expect(page.getByText('Completed').first()).toBeVisible();
  const detail = await api.until(executionId, 'completed');
  expect(detail.variables).toMatchObject({ said: 'go on, the backup is done', via: 'web' });
  await inbox.context().close();
});

test('of two who decide at once, the second is told whose decision counts', async ({ page, api }) => {
  const workflowId = await api.workflow(gate(unique('Race'), {}));
  const executionId = await api.run(workflowId, { host: 'db-01' });
  const detail = await api.until(executionId, 'paused');
  await page.goto('/automation/approvals');
  const card = page.getByRole('article').filter({ hasText: 'db-01' }).filter({ hasText: 'Race' });
  await expect(card).toBeVisible();
  await page.route('**/reject', async (route) => {
    // another one is faster, while this answer is on its way
    await api.call('POST', `/approvals/${detail.approvals[0].approvalId}/approve`, { note: 'mine' });
    await route.continue();
  });
  await card.getByRole('button', { name: 'Reject' }).click();
  await expect(page.getByText('Already approved')).toBeVisible();
  await expect(card).toHaveCount(0);
  await api.until(executionId, 'completed');
});
