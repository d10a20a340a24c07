import { type Api, expect, type Json, lookAt, signIn, test, unique } from './test';

/** Needs no agent: it ends as soon as it has begun. */
function document(name: string, more: Json = {}): Json {
  return {
    name,
    description: 'Frees space on a host that reports a full disk.',
    inputs: {
      type: 'object',
      additionalProperties: false,
      required: ['host'],
      properties: {
        host: { type: 'string', pattern: '^[a-z0-9-]+$', description: 'Where to clean.' },
        percent: { type: 'integer', minimum: 1, maximum: 100, default: 90 },
        dryRun: { type: 'boolean', default: true },
        level: { type: 'string', enum: ['low', 'high'], default: 'low' },
        mounts: { type: 'array', items: { type: 'string', pattern: '^/' }, default: ['/var'] },
        limits: { type: 'object', properties: { minutes: { type: 'integer', default: 10 } } },
      },
    },
    triggers: [{ type: 'manual' }],
    nodes: [{ id: 'note', type: 'setVariables', name: 'Note', values: { host: '{{ inputs.host }}' } }],
    edges: [{ from: 'trigger', to: 'note' }],
    ...more,
  };
}

async function userWith(api: Api, role: string): Promise<string> {
  const name = unique(role).replace(' ', '-');
  await api.call('POST', '/users', { name, roles: [role] });
  return (await api.call('POST', '/api-keys', { user: name, name: 'browser' })).key;
}

test('a workflow is found and opened by keys', async ({ page, api }) => {
  const name = unique('Clean a disk');
  const workflowId = await api.workflow(document(name));
  await page.goto('/automation/workflows');
  await page.getByRole('table').waitFor();
  await lookAt(page);
  await page.keyboard.press('/');
  await expect(page.getByLabel('Name of the workflow')).toBeFocused();
  await page.getByLabel('Name of the workflow').fill(name);
  await expect(page).toHaveURL(/q=Clean/);
  await expect(page.getByRole('row')).toHaveCount(2);
  await page.keyboard.press('Escape');
  await expect(page.getByLabel('Name of the workflow')).toHaveValue(name);
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`/automation/workflows/${workflowId}`);
  await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
});

test('a workflow is run by a form made of its inputs', async ({ page, api }) => {
  const name = unique('Clean a disk');
  const workflowId = await api.workflow(document(name));
  await page.goto(`/automation/workflows/${workflowId}`);
  await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
  await page.keyboard.press('r');
  const dialog = page.getByRole('dialog', { name: `Run ${name}` });
  await dialog.getByLabel('Host').fill('Not a host');
  await dialog.getByLabel('Percent').fill('101');
  await dialog.getByRole('button', { name: 'Run' }).click();
  await expect(dialog.getByText('does not fit the pattern ^[a-z0-9-]+$')).toBeVisible();
  await expect(dialog.getByText('is more than 100')).toBeVisible();
  await expect(dialog.getByLabel('Host')).toBeFocused();
  await lookAt(page);
  await dialog.getByLabel('Host').fill('web-01');
  await dialog.getByLabel('Percent').fill('80');
  await dialog.getByLabel('Dry run').uncheck();
  await dialog.getByRole('button', { name: 'Add to Mounts' }).click();
  await dialog.getByRole('textbox', { name: 'Mounts-2' }).fill('/tmp');
  await dialog.getByText('YAML', { exact: true }).click();
  await expect(dialog.getByLabel('Inputs as YAML')).toHaveValue(/host: web-01/);
  await dialog.getByRole('button', { name: 'Run' }).click();
  await expect(page).toHaveURL(/\/automation\/executions\/[0-9a-f-]{36}$/);
  const executionId = page.url().split('/').at(-1) ?? '';
  const execution = await api.until(executionId, 'completed');
  expect(execution.variables).toEqual({
    host: 'web-01',
    percent: 80,
    dryRun: false,
    level: 'low',
    mounts: ['/var', '/tmp'],
    limits: { minutes: 10 },
  });
  await page.goto(`/automation/workflows/${workflowId}`);
  await expect(page.getByRole('link', { name: /\d\d:\d\d:\d\d/ })).toHaveAttribute('href', new RegExp(executionId));
  await page.getByText('Note', { exact: true }).first().waitFor();
  await lookAt(page);
});

test('two versions are compared, and the first one runs again', async ({ page, api }) => {
  const name = unique('Versions');
  const workflowId = await api.workflow(document(name));
  const second = document(name, {
    nodes: [
      { id: 'note', type: 'setVariables', name: 'Note', values: { host: 'another' } },
      { id: 'wait', type: 'delay', seconds: 1 },
    ],
    edges: [
      { from: 'trigger', to: 'note' },
      { from: 'note', to: 'wait' },
    ],
  });
  await api.known((await api.call('PUT', `/workflows/${workflowId}/draft`, second)).position);
  await page.goto(`/automation/workflows/${workflowId}`);
  await expect(page.getByRole('link', { name: 'The draft is not published.' })).toBeVisible();
  await api.known((await api.call('POST', `/workflows/${workflowId}/publish`)).position);
  await page.goto(`/automation/workflows/${workflowId}?tab=versions`);
  await page.getByRole('link', { name: 'What version 2 changed' }).click();
  await expect(page).toHaveURL(/version=2&against=1/);
  const differences = page.getByRole('region', { name: 'From version 1 to 2' });
  await expect(differences.getByText('nodes[id=note].values.host')).toBeVisible();
  await expect(differences.getByText('{"from":"note","to":"wait"}')).toBeVisible();
  await expect(page.getByLabel('Version 2', { exact: true })).toContainText('another');
  await lookAt(page);
  await page.getByRole('button', { name: 'Roll back to version 1' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
  await expect(page.getByText('Version 1 is in use, rolled back from 2')).toBeVisible();
  await expect.poll(async () => (await api.call('GET', `/workflows/${workflowId}`)).publishedVersion).toBe(1);

  await page.getByRole('button', { name: 'Deactivate' }).click();
  const run = page.getByRole('button', { name: 'Run', exact: true });
  await expect(run).toHaveAccessibleDescription('It is not active. Activate it first.');
});

test('a webhook is made, called as the page says, and closed; a schedule shows when it comes', async ({
  page,
  api,
}) => {
  const workflowId = await api.workflow(
    document(unique('Triggers'), {
      inputs: { type: 'object', properties: {} },
      nodes: [{ id: 'note', type: 'setVariables', values: { service: 'x' } }],
      triggers: [
        { type: 'schedule', cron: '0 6 1 1 *', timezone: 'Europe/Berlin' },
        { type: 'webhook', id: 'monitoring' },
        { type: 'incident', events: ['incident.created'], condition: 'incident.service == "web"' },
      ],
    }),
  );
  const service = unique('db');
  await api.call('POST', '/incidents', { event: 'incident.created', incident: { id: unique('INC'), service } });
  await page.goto(`/automation/workflows/${workflowId}?tab=triggers`);
  await page.getByRole('button', { name: 'Next 10' }).click();
  await expect(page.getByText(/1 Jan \d{4}, 06:00 \+01:00/).last()).toBeVisible();
  await page.getByRole('button', { name: 'Try a schedule' }).click();
  await page.getByLabel('Schedule', { exact: true }).fill('30 2 * 3 0');
  await page.getByLabel('Time zone').fill('Europe/Berlin');
  await expect(page.getByText(/clock/i).first()).toBeVisible();

  await page.getByRole('button', { name: 'New webhook' }).click();
  await page.getByLabel('Sender').fill('Grafana');
  await page.getByRole('button', { name: 'Make it' }).click();
  const shown = page.getByRole('dialog', { name: 'Copy them now' });
  const url = await shown.locator('[data-secret=address]').innerText();
  const secret = await shown.locator('[data-secret=secret]').innerText();
  await expect(shown.getByText(`Authorization: Bearer ${secret}`)).toBeVisible();
  const send = () =>
    fetch(`${api.url}${new URL(url).pathname}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: JSON.stringify({ variables: { service: 'nginx' } }),
    });
  const answer = await send();
  expect(answer.status).toBe(202);
  const { executionId } = await answer.json();
  await shown.getByRole('button', { name: 'I have copied them' }).click();
  await expect(page.getByText(secret)).toHaveCount(0);
  await expect(page.getByText('the condition is false')).toBeVisible();
  await expect(page.getByText(`incident.service = "${service}"`)).toBeVisible();
  await lookAt(page);
  await page.getByRole('button', { name: 'More about Grafana' }).click();
  await page.getByRole('menuitem', { name: 'Disable' }).click();
  await expect(page.getByText('disabled: senders get 404')).toBeVisible();
  expect((await send()).status).toBe(404);
  await page.getByRole('tab', { name: 'Overview' }).click();
  await expect(page.locator(`a[href="/automation/executions/${executionId}"]`)).toBeVisible();
});

test('files are tried before they are imported, and come out again as they went in', async ({ page, api }) => {
  const name = unique('From a file');
  const text = `# kept\n${JSON.stringify(document(name))}\n`;
  await page.goto('/automation/workflows');
  await page.getByRole('button', { name: 'Files', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Import …' }).click();
  const dialog = page.getByRole('dialog', { name: 'Import workflows' });
  await dialog.locator('input[type=file]').setInputFiles([
    { name: 'good.yaml', mimeType: 'application/yaml', buffer: Buffer.from(text) },
    { name: 'bad.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify({ name: unique('Bad') })) },
  ]);
  await dialog.getByLabel('Publish each').check();
  await expect(dialog.getByText('would be made')).toBeVisible();
  await expect(dialog.getByText('would be refused')).toBeVisible();
  expect((await api.call('GET', `/workflows?q=${encodeURIComponent(name)}`)).items).toEqual([]);
  await dialog.getByRole('button', { name: 'Import 1' }).click();
  await dialog.getByRole('link', { name }).click();
  await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
  await page.getByRole('tab', { name: 'Settings' }).click();
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Version 1' }).click();
  const file = await (await download).createReadStream();
  const chunks: Buffer[] = [];
  for await (const chunk of file) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe(text);

  await page.getByRole('button', { name: 'Archive …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Archive' }).click();
  await expect(page.getByText('Archived', { exact: true })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Edit' })).toHaveCount(0);
});

test('who may only look sees no way to change or run', async ({ browser, api }) => {
  const name = unique('Looked at');
  const workflowId = await api.workflow(document(name));
  const page = await browser.newPage({ baseURL: api.url });
  await signIn(page, api.url, await userWith(api, 'viewer'));
  await page.goto(`/automation/workflows?q=${encodeURIComponent(name)}`);
  await expect(page.getByRole('link', { name, exact: true })).toBeVisible();
  for (const action of ['New workflow', `Run ${name}`, `${name} is active`])
    await expect(page.getByLabel(action).or(page.getByRole('link', { name: action }))).toHaveCount(0);
  await page.goto(`/automation/workflows/${workflowId}?run=1`);
  await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
  for (const action of [/^Run$/, /^Edit$/, /^Deactivate$/])
    await expect(page.getByRole('button', { name: action }).or(page.getByRole('link', { name: action }))).toHaveCount(
      0,
    );
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.close();
});
