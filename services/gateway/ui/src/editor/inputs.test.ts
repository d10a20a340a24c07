import { describe, expect, it } from 'vitest';
import {
  addInput,
  fieldsOf,
  inputsOf,
  isListed,
  kindOf,
  removeInput,
  renameInput,
  retyped,
  setInput,
  setRequired,
  setSchema,
} from './inputs';
import { parsed } from './text/parsed';

const TEXT = `name: Clean   # kept
description: Frees space

inputs:   # what a run asks for
  type: object
  required: [host]
  properties:
    # the one that is full
    host: {type: string, default: web-01}   # by name
    days:
      type: integer
      minimum: 1

nodes:
  - {id: look, type: delay, seconds: 1}
`;
const lines = (text: string) => text.split('\n');
const added = (before: string, after: string) => lines(after).filter((line) => !lines(before).includes(line));

describe('the inputs of a workflow', () => {
  it('are added behind the others, and nothing else changes', () => {
    const after = addInput(TEXT, 'value');
    expect(added(TEXT, after)).toEqual(['    value:', '      type: string']);
    expect(inputsOf(parsed(after).value).map(([name]) => name)).toEqual(['host', 'days', 'value']);
    expect(added(after, TEXT)).toEqual([]);
    const flow = addInput(TEXT.replace('    days:\n      type: integer\n      minimum: 1\n', ''), 'value');
    expect(flow).toContain('\n    value: {type: string}\n');
  });

  it('begin where there are none', () => {
    expect(addInput('name: New\nnodes: []\n', 'value')).toBe(
      'name: New\ninputs:\n  type: object\n  additionalProperties: false\n  properties:\n    value:\n      type: string\nnodes: []\n',
    );
    expect(addInput('name: New\ninputs: {}\n', 'value')).toContain('value');
    expect(removeInput(addInput('name: New\nnodes: []\n', 'value'), 'value')).toBe('name: New\nnodes: []\n');
  });

  it('are renamed where they stand, also among those that are required', () => {
    const after = renameInput(TEXT, 'host', 'server');
    expect(added(TEXT, after)).toEqual([
      '  required: [server]',
      '    server: {type: string, default: web-01}   # by name',
    ]);
    expect(lines(after)).toContain('    # the one that is full');
    expect(() => renameInput(TEXT, 'host', 'days')).toThrow('There is a days already');
    const json = renameInput('{"inputs": {"properties": {"a": {"type": "string"}, "b": {}}}}', 'a', 'c');
    expect(Object.keys(JSON.parse(json).inputs.properties)).toEqual(['c', 'b']);
  });

  it('are required or not, and removed with that', () => {
    expect(added(TEXT, setRequired(TEXT, 'days', true))).toEqual(['  required: [host, days]']);
    const optional = setRequired(TEXT, 'host', false);
    expect(parsed(optional).value).not.toHaveProperty('inputs.required');
    expect(optional).toContain('# by name');
    const less = removeInput(TEXT, 'host');
    expect(parsed(less).value).toHaveProperty('inputs', {
      type: 'object',
      properties: { days: { type: 'integer', minimum: 1 } },
    });
    expect(less).toContain('# kept');
  });

  it('get a keyword in the way that they are written', () => {
    expect(setInput(TEXT, 'host', 'description', 'Its name, or: its address')).toContain(
      'host: {type: string, default: web-01, description: "Its name, or: its address"}   # by name',
    );
    expect(added(TEXT, setInput(TEXT, 'days', 'default', 14))).toEqual(['      default: 14']);
    expect(setInput(TEXT, 'host', 'default', undefined)).toContain('host: {type: string}   # by name');
  });

  it('keep what they are called, and a default that fits, when they become another type', () => {
    const host = { type: 'string', title: 'Host', default: 'x', pattern: 'x' };
    expect(retyped(host, 'integer')).toEqual({ type: 'integer', title: 'Host' });
    expect(retyped({ type: 'integer', default: 3, minimum: 1 }, 'number')).toEqual({ type: 'number', default: 3 });
    const after = setSchema(TEXT, 'host', retyped(inputsOf(parsed(TEXT).value)[0]?.[1], 'choice'));
    expect(after).toContain('# by name');
    expect(inputsOf(parsed(after).value)[0]).toEqual(['host', { type: 'string', enum: ['one', 'two'] }]);
  });

  it('are of a kind that has fields, or are left to the text', () => {
    expect(kindOf({ type: 'array', items: { type: 'string' } })).toBe('texts');
    expect(kindOf({ enum: ['a', 2] })).toBe('choice');
    expect(kindOf({ type: 'array', items: { type: 'string', pattern: 'x' } })).toBe('other');
    expect(kindOf({ type: ['string', 'null'] })).toBe('other');
    expect(kindOf({ type: 'string', oneOf: [] })).toBe('other');
    expect(fieldsOf({ type: 'boolean' }).map(({ name }) => name)).toEqual(['default', 'title', 'description']);
    expect(isListed({ type: 'object', properties: {} })).toBe(true);
    expect(isListed({ $ref: '#/x', type: 'string' })).toBe(false);
    expect(isListed([])).toBe(false);
  });
});
