import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { shapeAt } from './schema';

/** Of the whole API the document's shape alone, without what is only said in words. `npx vitest run src/editor/schema --update` writes it. */
it('is what the API says of workflows', async () => {
  const { components } = JSON.parse(await readFile('openapi.json', 'utf8'));
  const wanted = new Set<string>();
  const walk = (name: string) => {
    if (wanted.has(name)) return;
    wanted.add(name);
    for (const [, found] of JSON.stringify(components.schemas[name]).matchAll(/#\/components\/schemas\/(\w+)/g))
      if (found) walk(found);
  };
  walk('Workflow');
  const schemas = Object.fromEntries([...wanted].sort().map((name) => [name, components.schemas[name]]));
  const bare = (key: string, value: unknown) =>
    (key === 'title' || key === 'description') && typeof value === 'string' ? undefined : value;
  await expect(`${JSON.stringify({ schemas }, bare, 1)}\n`).toMatchFileSnapshot('./workflow.schema');
});

it('knows a node by its type, also within a body', () => {
  const value = { nodes: [{ type: 'forEach', body: { nodes: [{ type: 'delay' }] } }, { type: '?' }] };
  expect(Object.keys(shapeAt(value, ['nodes', 0, 'body', 'nodes', 0])?.properties ?? {})).toContain('seconds');
  expect(shapeAt(value, ['nodes', 1])?.properties?.type?.enum).toContain('approval');
  expect(shapeAt(value, ['nodes', 0, 'onItemError'])?.enum).toEqual(['stop', 'continue']);
});
