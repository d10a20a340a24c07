import { expect, test } from 'vitest';
import { codeOf, httpOutput, resultOf } from './result';

test('a response is taken apart, its JSON made readable', () => {
  const output = { statusCode: 404, headers: { a: 'b' }, body: '{"x":1}', json: { x: 1 }, truncated: false };
  expect(httpOutput(output)).toEqual({
    statusCode: 404,
    headers: [['a', 'b']],
    body: '{\n  "x": 1\n}',
    isJson: true,
    truncated: false,
  });
  expect(resultOf(output)).toBeNull();
  expect(codeOf(output, 'statusCode')).toBe(404);
  expect(httpOutput({ stdout: '', exitCode: 0 })).toBeNull();
});

test.each([
  [{ stdout: 'a', stderr: '', exitCode: 0, truncated: false }, null],
  [{ stdout: 'a', stderr: '', exitCode: 3 }, { exitCode: 3 }],
  [{ replicas: 3 }, { replicas: 3 }],
  [
    [1, 2],
    [1, 2],
  ],
  [null, null],
  [undefined, null],
])('what an action gave beside its texts has a place of its own: %j', (output, result) => {
  expect(resultOf(output)).toEqual(result);
});
