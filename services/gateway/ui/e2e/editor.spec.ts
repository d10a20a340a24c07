import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, expectUsable, lookAt, signIn, test, unique } from './test';

const TEMPLATES = resolve(import.meta.dirname, '../src/editor/templates');

function text(page: Page) {
  return page.getByRole('textbox', { name: /^Text of/ });
}

/** The text as it is in the editor, of which only the lines in view are in the page. */
async function written(page: Page): Promise<string> {
  return text(page).evaluate((content) => {
    const view = (content as unknown as { cmTile?: { view?: { state: { doc: unknown } } } }).cmTile?.view;
    return view ? String(view.state.doc) : (content as HTMLElement).innerText;
  });
}

test('every template is valid as it is', async ({ api }) => {
  for (const file of readdirSync(TEMPLATES).filter((each) => each.endsWith('.yaml'))) {
    const source = readFileSync(`${TEMPLATES}/${file}`, 'utf8');
    const { errors } = await api.call('POST', '/workflows/validate', source, 'application/yaml');
    expect(errors, file).toEqual([]);
  }
});

test('a template becomes a workflow that runs, with a node that was added in the graph', async ({ page, api }) => {
  test.slow();
  await page.goto('/automation/workflows/new');
  await page.getByRole('button', { name: /^Hello/ }).click();
  await expect(page.getByText('No problems: it can be published')).toBeVisible();

  // the name, by typing in the text; a name that another workflow has is said at its line
  const name = unique('Hello');
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
  await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();

  // an input, in the form: it is written as the one that is there
  await page.getByRole('tab', { name: /^Inputs/ }).click();
  await page.getByRole('button', { name: 'Add an input' }).click();
  const input = page.getByRole('region', { name: 'Inputs' });
  await input.getByRole('textbox', { name: 'Name' }).fill('times');
  await page.keyboard.press('Enter');
  await input.getByRole('combobox', { name: 'Type' }).click();
  await page.getByRole('option', { name: 'Whole number' }).click();
  await input.getByRole('textbox', { name: 'Default' }).fill('2');
  await expect.poll(() => written(page)).toContain('    times: {type: integer, default: 2}');
  // in another order, by keyboard: the focus goes along
  await input.getByRole('button', { name: 'Move times up' }).focus();
  await page.keyboard.press('Enter');
  await expect(input.getByRole('button', { name: 'Move times up' })).toBeFocused();
  await expect(input.getByRole('status')).toHaveText('times is now 1 of 2');
  expect((await written(page)).indexOf('times:')).toBeLessThan((await written(page)).indexOf('who:'));
  await page.keyboard.press('Alt+ArrowDown');
  await expect(input.getByRole('status')).toHaveText('times is now 2 of 2');
  await input.getByRole('button', { name: 'As people see it' }).click();
  await expect(input.getByRole('textbox', { name: 'Times' })).toHaveValue('2');
  await expectUsable(page);
  await page.getByRole('tab', { name: /^Triggers/ }).click();
  await page.getByRole('button', { name: 'Add a trigger' }).click();
  await page.getByRole('menuitem', { name: 'Schedule' }).click();
  const trigger = page.getByRole('region', { name: 'Triggers' });
  await trigger.getByRole('textbox', { name: 'Cron' }).fill('0 7 1 1 *');
  await expect(trigger.getByRole('row').nth(1)).toContainText('Jan');
  expect(await written(page)).toContain('  - {type: schedule, cron: "0 7 1 1 *"}');

  // which incidents, in rows; what is none of them stays as it is
  await page.getByRole('button', { name: 'Add a trigger' }).click();
  await page.getByRole('menuitem', { name: 'Incident' }).click();
  await trigger.getByRole('button', { name: 'Only some of them' }).click();
  await trigger.getByRole('button', { name: 'Add a condition' }).click();
  await trigger.getByRole('textbox', { name: 'Value 2' }).fill('web');
  const condition = 'incident.severity in ["critical", "high"] && incident.service == "web"';
  await expect.poll(() => written(page)).toContain(`    condition: ${condition}\n`);
  await trigger.getByRole('button', { name: 'Show as text' }).click();
  await trigger.getByRole('textbox', { name: 'Only if' }).fill(`${condition} && size(incident.tags) > 1`);
  await trigger.getByRole('button', { name: 'Show as rows' }).click();
  await expect(trigger.getByRole('textbox', { name: 'Part 3 of the condition, as text' })).toHaveValue(
    'size(incident.tags) > 1',
  );
  await trigger.getByText('Any of these').click();
  await trigger.getByRole('button', { name: 'Remove part 1 of the condition' }).click();
  await expect
    .poll(() => written(page))
    .toContain('    condition: incident.service == "web" || size(incident.tags) > 1\n');
  await expectUsable(page);

  // completion, and a problem at its line until it is mended
  const graph = page.getByRole('region', { name: `Graph of ${name}` });
  await graph.getByRole('button', { name: 'Add a node after Say hello, success' }).click();
  await page.getByRole('combobox', { name: 'Search for what to add' }).fill('condition');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/node=check/);
  await expect(page.getByRole('textbox', { name: 'Expression' })).toBeFocused();
  expect(await written(page)).toContain('# values reach a script as environment variables');
  expect(await written(page)).toContain('  - {from: greet, to: check}');
  await expect(graph.getByRole('button', { name: 'check, condition' })).toBeVisible();
  const expression = page.getByRole('textbox', { name: 'Expression' });
  await expression.fill('nodes.great.output.exitCode == 0');
  const problems = page.getByRole('region', { name: 'Problems' });
  await expect(problems.getByRole('button').first()).toContainText('great');
  await expect(graph.getByRole('button', { name: /check, condition, 1 problem/ })).toBeVisible();
  await problems.getByRole('button').first().click();
  await expect(text(page)).toBeFocused();
  // the place is selected, so that typing replaces it
  await page.keyboard.type('expression: nodes.gr');
  await page.getByRole('option', { name: /^greet/ }).click();
  await page.keyboard.type('.output.ex');
  await page.getByRole('option', { name: /^exitCode/ }).click();
  await page.keyboard.type(' == 0');
  await expect(expression).toHaveValue('nodes.greet.output.exitCode == 0');
  await expect(page.getByText('No problems: it can be published')).toBeVisible();
  // the same in rows, with what there is to ask for
  await page.getByRole('button', { name: 'Show as rows' }).click();
  await expect(page.getByRole('textbox', { name: 'Value 1' })).toHaveValue('0');
  await page.getByRole('button', { name: 'Add a condition' }).click();
  await page.getByRole('combobox', { name: 'Field 2' }).fill('greet.output.std');
  await page.getByRole('option', { name: 'nodes.greet.output.stdout' }).click();
  await page.getByRole('textbox', { name: 'Value 2' }).fill('hello');
  await page.getByRole('combobox', { name: 'Comparison 2' }).click();
  await page.getByRole('option', { name: 'contains', exact: true }).click();
  await expect
    .poll(() => written(page))
    .toContain('expression: nodes.greet.output.exitCode == 0 && nodes.greet.output.stdout.contains("hello")');
  await expect(page.getByText('No problems: it can be published')).toBeVisible();
  await lookAt(page);

  await page.getByRole('button', { name: 'Publish and activate' }).click();
  await expect(page).toHaveURL(/\/automation\/workflows\/[0-9a-f-]{36}\/edit/);
  await expect(page.getByText('Version 1 is active')).toBeVisible();
  const workflowId = /workflows\/([^/]+)\/edit/.exec(page.url())?.[1] ?? '';
  await page.getByRole('link', { name: 'Run', exact: true }).click();
  await expect(page).toHaveURL(new RegExp(`/automation/workflows/${workflowId}\\?run=1`));
  const execution = await api.until(await api.run(workflowId), 'completed');
  expect(execution.nodes.map((each: { nodeId: string }) => each.nodeId)).toContain('check');
});

test('two people edit one draft: nobody loses anything unseen', async ({ page, api, browser }) => {
  const name = unique('Shared');
  const source = `name: ${name} # ours\nnodes:\n  - {id: wait, type: delay, seconds: 1}\nedges:\n  - {from: trigger, to: wait}\n`;
  const { workflowId } = await api.call('POST', '/workflows', source, 'application/yaml');
  await page.goto(`/automation/workflows/${workflowId}/edit`);
  const other = await browser.newPage({ baseURL: api.url });
  await signIn(other, api.url, api.token);
  await other.goto(`/automation/workflows/${workflowId}/edit?node=wait`);
  await other.getByRole('textbox', { name: 'Seconds' }).fill('5');
  await other.getByRole('button', { name: 'Save' }).click();
  await expect(other.getByText('Draft saved').first()).toBeVisible();
  await other.close();

  await text(page).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('# mine');
  await page.keyboard.press('Control+s');
  const dialog = page.getByRole('dialog', { name: 'Somebody else saved this draft' });
  await expect(dialog).toContainText('seconds: 5');
  await expect(dialog).toContainText('# mine');
  await dialog.getByText('yours', { exact: true }).click();
  await expect(dialog).toContainText('seconds: 1');
  await dialog.getByText('both together', { exact: true }).click();
  await expect(dialog).toContainText('You changed different places.');
  await expectUsable(page);
  await dialog.getByRole('button', { name: 'Go on with both' }).click();
  expect(await written(page)).toBe(`${source.replace('seconds: 1', 'seconds: 5')}# mine`);
  await text(page).click();
  await page.keyboard.press('Control+z');
  expect(await written(page)).toContain('seconds: 1');
  await page.keyboard.press('Control+y');

  // what is not saved is not lost by a click
  await page.getByRole('link', { name: 'Executions' }).click();
  await page.getByRole('button', { name: 'Leave it' }).click();
  await expect(page).toHaveURL(/\/edit/);
  await page.keyboard.press('Control+s');
  await expect(page.getByText('Draft saved').first()).toBeVisible();
  const saved = `${source.replace('seconds: 1', 'seconds: 5')}# mine`;
  await expect.poll(async () => (await api.call('GET', `/workflows/${workflowId}`)).draft.source).toBe(saved);

  // a text that is no YAML keeps the graph, and says where it stops
  await text(page).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('\nnodes: [');
  await expect(page.getByText('This is the graph as it was before')).toBeVisible();
  await expect(page.getByRole('region', { name: 'Problems' })).toContainText('Not YAML');
  await page.getByRole('link', { name: 'Executions' }).click();
  await page.getByRole('button', { name: 'Leave, and lose it' }).click();
  await expect(page).toHaveURL(/\/automation\/executions/);
});
