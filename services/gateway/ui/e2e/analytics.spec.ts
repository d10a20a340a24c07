import { type Api, expect, type Json, lookAt, test, unique } from './test';

/** Three that completed, two that failed, one that was cancelled while it ran. */
async function ran(api: Api): Promise<string> {
  const workflowId = await api.workflow({
    name: unique('Figures'),
    inputs: {
      type: 'object',
      properties: { seconds: { type: 'integer', default: 0 }, code: { type: 'integer', default: 0 } },
    },
    nodes: [
      {
        id: 'say',
        type: 'action',
        action: 'script.bash',
        params: { script: 'sleep {{ inputs.seconds }}; exit {{ inputs.code }}' },
      },
    ],
    edges: [{ from: 'trigger', to: 'say' }],
  });
  const good = await Promise.all([0, 0, 0].map((code) => api.run(workflowId, { code })));
  const bad = await Promise.all([1, 2].map((code) => api.run(workflowId, { code })));
  const cancelled = await api.run(workflowId, { seconds: 300 });
  await api.call('POST', `/executions/${cancelled}/cancel`, { reason: 'enough', force: true });
  for (const each of good) await api.until(each, 'completed');
  for (const each of bad) await api.until(each, 'failed');
  await api.until(cancelled, 'cancelled');
  // its job is stopped after it, and counted then
  const ended = async () => (await api.execution(cancelled)).jobs.every((job: Json) => job.finishedAt !== null);
  await expect.poll(ended).toBe(true);
  return workflowId;
}

test('figures are what counting the list gives that each of them leads to', async ({ page, api }) => {
  const workflowId = await ran(api);
  await page.goto(`/automation/analytics?range=24h&workflowId=${workflowId}`);
  await expect(page.getByRole('link', { name: 'Executions: 6' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Success rate: 60 %' })).toBeVisible();
  await expect(page.getByRole('row', { name: /^local/ })).toBeVisible();
  await page.getByRole('button', { name: 'Show as a table' }).click();
  await lookAt(page);

  const expected: [string, number][] = [];
  const counted = async (name: string | RegExp, count: number) =>
    expected.push([(await page.getByRole('link', { name, exact: true }).first().getAttribute('href')) ?? '', count]);
  await counted('Executions: 6', 6);
  await counted('Success rate: 60 %', 5);
  await counted(/^Average duration: /, 6);
  await counted('Completed 3', 3);
  await counted('2 failed', 2);
  await counted('1 cancelled', 1);
  // all of the table's numbers, which may be of two hours
  const cells = page.getByRole('region', { name: 'Executions by hour' }).getByRole('link');
  let all = 0;
  for (const cell of await cells.all()) {
    const count = Number(await cell.innerText());
    all += count;
    expected.push([(await cell.getAttribute('href')) ?? '', count]);
  }
  expect(all, 'each status once, and once all').toBe(12);
  // and the jobs of each agent, one by one
  const ofAgents = page.getByRole('region', { name: 'Jobs by agent' }).getByRole('cell').getByRole('link');
  for (const figure of await ofAgents.all()) {
    const count = Number(await figure.innerText());
    if (!Number.isNaN(count)) expected.push([(await figure.getAttribute('href')) ?? '', count]);
  }
  expect(expected.some(([address]) => address.startsWith('/automation/analytics/jobs'))).toBe(true);
  for (const [address, count] of expected) {
    await page.goto(address);
    await expect(page.getByRole('row').filter({ has: page.getByRole('link') }), address).toHaveCount(count);
  }

  await page.goto(expected.find(([address]) => address.startsWith('/automation/analytics/jobs'))?.[0] ?? '');
  await expect(
    page
      .getByRole('row')
      .filter({ has: page.getByRole('link') })
      .first(),
  ).toBeVisible();
  await lookAt(page);

  // another clock, and a range in which nothing ran
  await page.goto(`/automation/analytics?workflowId=${workflowId}`);
  await page.getByRole('combobox', { name: 'Time zone of days and clocks' }).fill('Tokyo');
  await page.getByRole('option', { name: 'Asia/Tokyo' }).click();
  await expect(page).toHaveURL(/tz=Asia%2FTokyo/);
  await expect(page.getByText(/until .* Asia\/Tokyo$/)).toBeVisible();
  await expect(page.getByRole('link', { name: 'Executions: 6' })).toBeVisible();
  await page.goto(`/automation/analytics?workflowId=${workflowId}&from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z`);
  await expect(page.getByRole('heading', { name: 'Nothing ran in this range' })).toBeVisible();
  await expect(page.getByText('nothing to say it of').first()).toBeAttached();
});
