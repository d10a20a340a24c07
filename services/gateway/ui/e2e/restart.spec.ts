import { Server } from './server';
import { Api, expect, signIn, test, unique } from './test';

let server: Server;

test.beforeAll(async () => {
  server = await Server.start();
});

test.afterAll(() => server.remove());

test('a live execution is watched through the death of the server: it says so, goes on by itself, and ends right', async ({
  browser,
  request,
  gate,
}) => {
  const api = new Api(request, server.url, server.token);
  const workflow = await api.workflow({
    name: unique('Deploy'),
    nodes: [
      { id: 'pull', type: 'action', name: 'Pull image', action: 'script.bash', params: { script: 'echo pulled' } },
      {
        id: 'roll',
        type: 'action',
        name: 'Roll out',
        action: 'script.bash',
        params: { script: `echo pod 1; ${gate.wait('rolled')}; echo pod 2` },
        maxRetries: 1,
        retryDelaySeconds: 1,
      },
      { id: 'check', type: 'action', name: 'Check', action: 'script.bash', params: { script: 'echo fine' } },
    ],
    edges: [
      { from: 'trigger', to: 'pull' },
      { from: 'pull', to: 'roll' },
      { from: 'roll', to: 'check' },
    ],
  });
  const page = await browser.newPage({ baseURL: server.url });
  await signIn(page, server.url, server.token);
  // every status that was ever shown, in order
  await page.addInitScript(() => {
    const shown: string[] = [];
    Object.assign(window, { shown });
    setInterval(() => {
      const status = document.querySelector('header [role=status]')?.textContent;
      if (status && shown.at(-1) !== status) shown.push(status);
    }, 20);
  });
  const executionId = await api.run(workflow);
  await api.until(executionId, 'running');
  await page.goto(`/automation/executions/${executionId}`);
  const banner = page.getByRole('region', { name: 'Status' });
  await expect(banner).toContainText('Roll out is running on local');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();

  await server.stop('SIGKILL');
  await expect(page.getByText('Reconnecting …')).toBeVisible();
  await expect(banner, 'what was known is still shown').toContainText('Roll out is running on local');
  // what is opened meanwhile is loaded when it can be
  await banner.getByRole('button', { name: /^Output/ }).click();
  await server.run();
  await expect(page.getByText('Reconnecting …')).toBeHidden();
  await expect(page.getByRole('dialog', { name: /Roll out/ })).toBeVisible();
  await page.keyboard.press('Escape');
  gate.open('rolled');

  // the job that was running went with its agent, and is tried again
  await expect(banner).toContainText('Completed in');
  await expect(page.getByText('3 of 4', { exact: true })).toBeVisible();
  const shown = await page.evaluate(() => (window as unknown as { shown: string[] }).shown);
  expect(shown, 'nothing went back').toEqual(['Running', 'Completed']);

  await expect(page.getByRole('alert').filter({ hasText: 'cannot be read' })).toHaveCount(0);
  await page.keyboard.press('l');
  const { items } = await api.call('GET', `/executions/${executionId}/log`);
  await expect(page.getByRole('tabpanel').getByRole('status')).toHaveText(`${items.length} lines`);
  await expect(page.getByRole('log').getByText('The execution completed')).toHaveCount(1);
  await expect(page.getByRole('log').getByText('Roll out (attempt 2) completed')).toHaveCount(1);
  await page.close();
});
