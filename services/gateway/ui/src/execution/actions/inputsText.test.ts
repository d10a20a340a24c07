import { expect, test } from 'vitest';
import { changedInputs, inputsText, parseInputs } from './inputsText';

test('inputs are typed as YAML or as JSON', () => {
  expect(parseInputs('host: web-01\nn: 3')).toEqual({ values: { host: 'web-01', n: 3 } });
  expect(parseInputs('{"host": "web-01", "n": 3}')).toEqual({ values: { host: 'web-01', n: 3 } });
  expect(parseInputs('  ')).toEqual({ values: {} });
});

test('what cannot be read says in which line', () => {
  const typed = parseInputs('host: web-01\nn: [1, 2');
  if ('values' in typed) throw new Error('it was read');
  expect(typed.problems[0]?.line).toBe(2);
  expect(parseInputs('just words')).toEqual({
    problems: [{ line: 1, message: 'Write one input a line: name: value' }],
  });
});

test('only what was changed is sent, so that the other inputs stay as they were', () => {
  const before = { host: 'web-01', tags: ['a', 'b'], n: 3 };
  expect(parseInputs(inputsText(before))).toEqual({ values: before });
  expect(changedInputs(before, { host: 'web-02', tags: ['a', 'b'], more: null })).toEqual({
    host: 'web-02',
    more: null,
  });
});
