import { expect, test } from 'vitest';
import { pathOf, problemsBelow, stepsOf } from './paths';
import { type JsonSchema, prepared, wordsOf } from './schema';
import { problemsOf } from './validator';

/** As pydantic writes it. */
const HTTP: JsonSchema = {
  type: 'object',
  title: 'HttpParams',
  required: ['url'],
  additionalProperties: false,
  properties: {
    url: { minLength: 1, title: 'Url', type: 'string' },
    method: { default: 'GET', enum: ['GET', 'POST'], title: 'Method', type: 'string' },
    headers: { additionalProperties: { type: 'string' }, title: 'Headers', type: 'object' },
    json: { anyOf: [{}, { type: 'null' }], default: null, title: 'Json' },
    body: { anyOf: [{ type: 'string' }, { type: 'null' }], default: null, title: 'Body' },
    verifyTls: { default: true, title: 'Verifytls', type: 'boolean' },
    retries: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }], default: null, title: 'How often' },
  },
};

test('a value that may be null is one that may be left out, and titles that repeat the name become its words', () => {
  const { schema } = prepared(HTTP, {}, {});
  expect(schema.properties?.body).toEqual({ type: 'string', title: 'Body' });
  expect(schema.properties?.retries).toEqual({ type: 'integer', minimum: 1, title: 'How often' });
  expect(schema.properties?.verifyTls?.title).toBe('Verify TLS');
});

test('what has no control of its own is edited as text', () => {
  const { uiSchema } = prepared(HTTP, {}, {});
  expect(uiSchema.json['ui:field']).toBe('anything');
  expect(uiSchema.headers['ui:field']).toBe('pairs');
  expect(uiSchema.body['ui:widget']).toBe('textarea');
});

test('with hints, defaults are shown and never become part of the value', () => {
  const { schema, uiSchema } = prepared(HTTP, {}, { defaults: 'hint' });
  expect(schema.properties?.method).not.toHaveProperty('default');
  expect(uiSchema.method['ui:placeholder']).toBe('GET');
});

test('where templates are allowed, a list may be one template', () => {
  const list: JsonSchema = { type: 'object', properties: { to: { type: 'array', items: { type: 'string' } } } };
  expect(prepared(list, { to: '{{ inputs.to }}' }, { templated: true }).uiSchema.to['ui:field']).toBe('templated');
  expect(prepared(list, { to: ['a'] }, { templated: true }).uiSchema.to['ui:field']).toBeUndefined();
});

test('every problem is at the place where it can be put right', () => {
  const schema: JsonSchema = {
    type: 'object',
    additionalProperties: false,
    required: ['host', 'name'],
    properties: {
      host: { type: 'string' },
      name: { type: 'string', minLength: 1 },
      percent: { type: 'integer', minimum: 1, maximum: 100 },
      hosts: { type: 'array', minItems: 1, items: { type: 'string', pattern: '^[a-z]+$' } },
      disk: { type: 'object', required: ['mount'], properties: { mount: { type: 'string' } } },
    },
  };
  const given = { name: '', percent: 101, hosts: ['a', 'B'], disk: {}, other: 1 };
  expect(problemsOf(schema, given).sort((a, b) => a.path.localeCompare(b.path))).toEqual([
    { path: 'disk.mount', message: 'is needed' },
    { path: 'host', message: 'is needed' },
    { path: 'hosts[1]', message: 'does not fit the pattern ^[a-z]+$' },
    { path: 'name', message: 'is empty' },
    { path: 'other', message: 'is not known here' },
    { path: 'percent', message: 'is more than 100' },
  ]);
  expect(problemsOf(schema, { host: 'a', name: 'b', hosts: undefined })).toEqual([]);
});

test('of a choice it is said once that nothing fits', () => {
  const schema: JsonSchema = { properties: { at: { oneOf: [{ type: 'integer' }, { type: 'string', maxLength: 3 }] } } };
  expect(problemsOf(schema, { at: 'long' })).toEqual([{ path: 'at', message: 'fits none of the choices' }]);
});

test('paths are those of the API', () => {
  expect(stepsOf('hosts[1].name')).toEqual(['hosts', 1, 'name']);
  expect(pathOf(['hosts', 1, 'name'])).toBe('hosts[1].name');
  const said = [
    { path: 'variables.hosts[1]', message: 'a' },
    { path: 'variables', message: 'b' },
    { path: 'variablesOf', message: 'c' },
  ];
  expect(problemsBelow('variables', said)).toEqual([
    { path: 'hosts[1]', message: 'a' },
    { path: '', message: 'b' },
  ]);
});

test('names become words', () => {
  expect(['diskLimitPercent', 'disk_limit', 'maxRows', 'host'].map(wordsOf)).toEqual([
    'Disk limit percent',
    'Disk limit',
    'Max rows',
    'Host',
  ]);
});
