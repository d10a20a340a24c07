import { MantineProvider } from '@mantine/core';
import { fireEvent, render, screen } from '@testing-library/react';
import { useState } from 'react';
import { expect, test } from 'vitest';
import type { FieldProblem } from './paths';
import { type FormValue, SchemaForm } from './SchemaForm';
import type { FormOptions, JsonSchema } from './schema';

const SCHEMA: JsonSchema = {
  type: 'object',
  required: ['host'],
  properties: {
    host: { type: 'string', description: 'Where to clean.' },
    percent: { type: 'integer', default: 90 },
    dryRun: { type: 'boolean', default: true },
    level: { type: 'string', enum: ['low', 'high'] },
    hosts: { type: 'array', items: { type: 'string' } },
    disk: { type: 'object', properties: { mount: { type: 'string' } } },
    headers: { type: 'object', additionalProperties: { type: 'string' } },
    extra: {},
  },
};

function shown(given: FormValue, errors: FieldProblem[] = [], options: FormOptions = {}) {
  let last = given;
  function Holder() {
    const [value, setValue] = useState(given);
    last = value;
    return <SchemaForm schema={SCHEMA} value={value} onChange={setValue} errors={errors} {...options} />;
  }
  render(
    <MantineProvider env="test">
      <Holder />
    </MantineProvider>,
  );
  return () => JSON.parse(JSON.stringify(last));
}

/** Typing key by key is the browser's business, and is tested there. */
function enter(label: string | RegExp, text: string) {
  fireEvent.change(screen.getByLabelText(label, { selector: 'input, textarea' }), { target: { value: text } });
}

test('a form is filled in: defaults are there, every kind of value comes out as its type', () => {
  const value = shown({});
  expect(value()).toEqual({ percent: 90, dryRun: true });
  enter(/^Host/, 'web-01');
  enter('Percent', '75');
  fireEvent.click(screen.getByLabelText('Dry run'));
  fireEvent.click(screen.getByLabelText('Add to Hosts'));
  enter('Hosts-1', 'a');
  enter('Mount', '/var');
  fireEvent.click(screen.getByLabelText('Add to Headers'));
  enter('Headers: name', 'accept');
  enter('Headers: value of accept', 'text/plain');
  enter('Extra', 'a: [1]');
  expect(value()).toEqual({
    host: 'web-01',
    percent: 75,
    dryRun: false,
    hosts: ['a'],
    disk: { mount: '/var' },
    headers: { accept: 'text/plain' },
    extra: { a: [1] },
  });
}, 20_000);

test('problems stand at their fields, and those of the whole above it', () => {
  shown({ hosts: ['x'] }, [
    { path: 'host', message: 'is needed' },
    { path: 'hosts[0]', message: 'is no host' },
    { path: 'disk.mount', message: 'is not absolute' },
    { path: '', message: 'two of them contradict' },
  ]);
  const host = screen.getByLabelText(/^Host \*|^Host$/);
  expect(host.getAttribute('aria-invalid')).toBe('true');
  for (const message of ['is needed', 'is no host', 'is not absolute', 'two of them contradict'])
    expect(screen.getByText(message)).toBeTruthy();
});

test('templates are taken where a number is expected, and numbers stay numbers', () => {
  const value = shown({}, [], { templated: true, defaults: 'hint' });
  expect(value()).toEqual({});
  enter('Percent', '{{ inputs.percent }}');
  expect(value().percent).toBe('{{ inputs.percent }}');
  enter('Percent', '12');
  expect(value()).toEqual({ percent: 12 });
});
