import { expect, lookAt, test, unique } from './test';

test('the output of a job is seen line by line as it is written, and is whole at the end', async ({
  page,
  api,
  gate,
}) => {
  const workflowId = await api.workflow({
    name: unique('Live output'),
    triggers: [{ type: 'manual' }],
    nodes: [
      {
        id: 'slow',
        type: 'action',
        name: 'Slow',
        action: 'script.bash',
        params: {
          script: [
            "printf '\\033[1;31mfirst\\033[0m <b>line</b>, grün\\n'",
            gate.wait('a'),
            'echo second line; echo a complaint >&2',
            gate.wait('b'),
            "printf 'bytes that are no text: \\377\\n'",
            // more than is shown at first
            'seq -f "row %g of many, to be searched" 1 100000',
            'echo the end',
          ].join('\n'),
        },
      },
    ],
    edges: [{ from: 'trigger', to: 'slow' }],
  });
  const executionId = await api.run(workflowId);
  await page.goto(`/automation/executions/${executionId}`);
  await page.getByRole('row', { name: /Slow/ }).click();
  const drawer = page.getByRole('dialog');
  const text = drawer.getByRole('region', { name: 'stdout, the text' });
  await expect(text.getByText('first', { exact: true })).toHaveCSS('font-weight', '700');
  await expect(text).toContainText('<b>line</b>, grün');
  await expect(text).not.toContainText('second');
  gate.open('a');
  await expect(text).toContainText('second line');
  await expect(text).not.toContainText('the end');
  await expect(drawer.getByRole('button', { name: 'Follow the end' })).toHaveAttribute('aria-pressed', 'true');
  gate.open('b');
  await expect(text).toContainText('the end');
  await expect(drawer.getByText(/^Complete, /)).toBeVisible();

  // opened later, its middle is not read: that is said, and searching reads it
  await page.reload();
  await expect(drawer.getByRole('tab', { name: /^stdout 3\.\d MiB/ })).toBeVisible();
  await expect(text).toContainText('bytes that are no text: \uFFFD');
  await expect(drawer.getByRole('button', { name: 'Show all' }).last()).toBeVisible();
  const search = drawer.getByRole('textbox', { name: 'Search in stdout' });
  await search.fill('ROW 20000 OF');
  await expect(drawer.getByText('1 found')).toBeVisible();
  await search.press('Enter');
  await expect(drawer.getByText('1 of 1')).toBeVisible();
  await expect(text.locator('mark[data-current=true]')).toHaveText('row 20000 of');
  await expect(drawer.getByRole('button', { name: /^SHA-256 .*✓$/ })).toBeVisible();

  await drawer.getByRole('tab', { name: /^stderr/ }).click();
  await expect(drawer.getByRole('region', { name: 'stderr, the text' })).toHaveText('a complaint');
  const download = page.waitForEvent('download');
  await drawer.getByRole('link', { name: 'Download stderr' }).click();
  expect((await download).suggestedFilename()).toBe('slow-1-stderr.log');
  await lookAt(page);

  await page.keyboard.press('Escape');
  await expect(drawer).toBeHidden();
  await expect(page).not.toHaveURL(/job=/);
});

test('hundreds of jobs are listed, found and opened by keys; a response and a failure are shown whole', async ({
  page,
  api,
}) => {
  const workflowId = await api.workflow({
    name: unique('Many jobs'),
    triggers: [{ type: 'manual' }],
    nodes: [
      {
        id: 'each',
        type: 'forEach',
        name: 'Each host',
        items: Array.from({ length: 310 }, (_, index) => index),
        concurrency: 50,
        body: {
          nodes: [
            { id: 'ask', type: 'action', name: 'Ask', action: 'http.request', params: { url: `${api.url}/healthz` } },
          ],
          edges: [{ from: 'item', to: 'ask' }],
        },
      },
      {
        id: 'broken',
        type: 'action',
        name: 'Broken',
        action: 'script.bash',
        maxRetries: 1,
        params: { script: 'echo trying; echo "no such host: db-01" >&2; exit 3' },
      },
    ],
    edges: [
      { from: 'trigger', to: 'each' },
      { from: 'each', to: 'broken' },
    ],
  });
  const executionId = await api.run(workflowId);
  await page.goto(`/automation/executions/${executionId}`);
  const jobs = page.getByRole('region', { name: 'Jobs', exact: true });
  await expect(page.getByText('312 jobs')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Failed 2' })).toBeVisible();
  // few of them are drawn
  expect(await jobs.getByRole('row').count()).toBeLessThan(60);
  await expect(jobs.getByRole('row', { name: /^Ask each/ }).first()).toBeVisible();

  await page.getByRole('textbox', { name: 'Only jobs with this text' }).fill('each[301]');
  await expect(page.getByText('1 of 312 jobs')).toBeVisible();
  await expect(page).toHaveURL(/jobText=each/);
  await jobs.focus();
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  const drawer = page.getByRole('dialog');
  await expect(drawer.getByText('HTTP 200')).toBeVisible();
  await expect(drawer.getByRole('region', { name: 'Body' })).toContainText('"status": "ok"');
  await drawer.getByRole('tab', { name: /^Body as sent/ }).click();
  await expect(drawer.getByRole('region', { name: 'body, the text' })).toContainText('"status":"ok"');
  await expect(page).toHaveURL(/stream=body/);
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Clear the text' }).click();
  await page.getByRole('button', { name: 'Failed 2' }).click();
  await expect(page.getByText('2 of 312 jobs')).toBeVisible();
  await jobs.getByRole('button', { name: 'Broken' }).last().click();
  await expect(drawer.getByRole('region', { name: 'stderr, the text' })).toHaveText('no such host: db-01');
  await expect(drawer.getByRole('alert')).toContainText('exit code 3');
  await drawer.getByRole('link', { name: 'Attempt 1, failed' }).click();
  await expect(drawer.locator('[aria-current=true]')).toHaveText('1');
  await page.reload();
  await expect(drawer.getByRole('region', { name: 'stderr, the text' })).toHaveText('no such host: db-01');
  await page.keyboard.press('Escape');

  // both attempts are one line, which unfolds
  await expect(page.getByText('2 of 312 jobs, 1 retry')).toBeVisible();
  await expect(jobs.getByRole('row', { name: /Attempt [12]/ })).toHaveCount(0);
  await jobs.getByRole('button', { name: 'The 2 attempts of Broken' }).click();
  await expect(jobs.getByRole('row', { name: /Attempt 1 .*exit code 3/ })).toBeVisible();
  await expect(jobs.getByRole('row', { name: /Attempt [12]/ })).toHaveCount(2);

  await page.getByText('Times', { exact: true }).click();
  await expect(jobs.getByRole('columnheader', { name: 'Dispatched' })).toBeVisible();
  await expect(page).toHaveURL(/jobs=times/);
});
