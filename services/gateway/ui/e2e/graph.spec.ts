import { expect, expectUsable, test, unique } from './test';

test('the graph shows what runs, what was not taken, and each iteration; it never moves by itself', async ({
  page,
  api,
}) => {
  const action = (id: string, name: string, script: string) => ({
    id,
    type: 'action',
    name,
    action: 'script.bash',
    params: { script },
  });
  const workflowId = await api.workflow({
    name: unique('Graph'),
    triggers: [{ type: 'manual' }],
    nodes: [
      action('check', 'Check', 'printf 95'),
      { id: 'full', type: 'condition', name: 'Full?', expression: 'int(nodes.check.output.stdout) > 90' },
      action('fine', 'Fine', 'true'),
      { id: 'ask', type: 'approval', name: 'Clean up?', message: 'Clean up?' },
      {
        id: 'each',
        type: 'forEach',
        name: 'Each host',
        items: ['web-01', 'web-02', 'web-03'],
        concurrency: 3,
        onItemError: 'continue',
        body: {
          nodes: [action('clean', 'Clean', '[ {{ index }} != 1 ]'), action('probe', 'Probe', 'true')],
          edges: [
            { from: 'item', to: 'clean' },
            { from: 'clean', to: 'probe' },
          ],
        },
      },
    ],
    edges: [
      { from: 'trigger', to: 'check' },
      { from: 'check', to: 'full' },
      { from: 'full', port: 'true', to: 'ask' },
      { from: 'full', port: 'false', to: 'fine' },
      { from: 'ask', to: 'each' },
    ],
  });
  const executionId = await api.run(workflowId);
  await page.goto(`/automation/executions/${executionId}`);
  const graph = page.getByRole('region', { name: /^Graph of / });
  await expect(graph.getByRole('button', { name: 'Check, action, completed' })).toBeVisible();
  await expect(graph.getByRole('button', { name: 'Clean up?, approval, waiting' })).toBeVisible();
  await expect(graph.getByRole('button', { name: 'Fine, action, skipped' })).toBeAttached();

  const places = () =>
    graph.locator('[data-node]').evaluateAll((nodes) =>
      nodes.map((node) => {
        const { x, y, width, height } = node.getBoundingClientRect();
        const room = node.closest('section')?.getBoundingClientRect() ?? { x: 0, y: 0 };
        return [node.getAttribute('data-node'), ...[x - room.x, y - room.y, width, height].map(Math.round)];
      }),
    );
  const before = await places();
  expect(before.length).toBe(9);
  const approval = (await api.execution(executionId)).approvals[0];
  await api.call('POST', `/approvals/${approval.approvalId}/approve`, {});
  await expect(graph.getByRole('button', { name: 'Each host, for each, completed, 3 of 3, 1 failed' })).toBeAttached();
  expect(await places()).toEqual(before);

  // one iteration: which of its nodes failed, and which was not reached
  await expect(graph.locator('[data-node="each/clean"]')).toHaveAccessibleName('Clean, action');
  await page.getByRole('textbox', { name: 'Iteration of Each host' }).fill('1');
  await expect(graph.locator('[data-node="each/clean"]')).toHaveAccessibleName('Clean, action, failed');
  await expect(page).toHaveURL(/item=each%5B1%5D/);
  await expect(page.getByText('1 of 6 jobs')).toBeVisible();
  await page.getByRole('button', { name: 'All iterations' }).click();
  await expect(page.getByText('6 jobs', { exact: true })).toBeVisible();

  // by keys alone: one stop of Tab, arrows from node to node, Enter shows its jobs
  await graph.locator('[data-node="trigger"]').focus();
  await page.keyboard.press('ArrowRight');
  await expect(graph.locator('[data-node="check"]')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/node=check/);
  await expect(page.getByText('1 of 6 jobs')).toBeVisible();
  await expect(graph.locator('[data-node="check"]')).toHaveAttribute('aria-pressed', 'true');
  await page.keyboard.press('Escape');
  await expect(page).not.toHaveURL(/node=/);

  await page.getByRole('button', { name: 'Show as a list' }).click();
  const list = page.getByRole('region', { name: /as a list$/ });
  await expect(list.getByText('false → Fine (skipped)')).toBeVisible();
  await expectUsable(page);
  await list.getByRole('button', { name: 'Graph' }).click();
  await expect(graph.locator('[data-node="check"]')).toBeVisible();
});
