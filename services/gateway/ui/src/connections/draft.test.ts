import { expect, test } from 'vitest';
import { bodyOf, EMPTY, secretFields, withSecret } from './draft';

const SCHEMA = {
  properties: { password: { type: 'string' }, privateKey: { type: 'string' } },
  required: ['privateKey'],
  additionalProperties: false,
};

test('of secrets only the changes are sent: what is not touched stays, null removes', () => {
  let draft = { ...EMPTY, name: ' web ' };
  draft = withSecret(draft, 'password', 'hunter2');
  draft = withSecret(draft, 'privateKey', null);
  expect(bodyOf(draft).secrets).toEqual({ password: 'hunter2', privateKey: null });
  draft = withSecret(withSecret(draft, 'password', undefined), 'privateKey', undefined);
  expect(bodyOf(draft)).toMatchObject({ name: 'web', secrets: {} });
  expect(bodyOf(withSecret(draft, 'password', '')).secrets).toEqual({});
});

test('each secret says what will become of it', () => {
  const said = secretFields(SCHEMA, ['privateKey'], { password: 'x' }).fields.map((each) => [
    each.name,
    each.required,
    each.kept,
    each.change,
  ]);
  expect(said).toEqual([
    ['password', false, false, 'replaced'],
    ['privateKey', true, true, 'stays'],
  ]);
});

test('a bag of secrets has those that the server has and those that are being named', () => {
  const { fields, anyName } = secretFields({ additionalProperties: { type: 'string' } }, ['B', 'A'], {
    NEW: '',
    A: null,
  });
  expect(anyName).toBe(true);
  expect(fields.map((each) => `${each.name} ${each.change}`)).toEqual(['A removed', 'B stays', 'NEW replaced']);
});
