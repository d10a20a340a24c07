import { expect, test } from 'vitest';
import { listChanges } from './listChanges';

test('of two lists it is said what one has more than the other, wherever it stands', () => {
  const one = { from: 'a', to: 'b' };
  const two = { from: 'b', to: 'c' };
  const three = { from: 'c', to: 'd' };
  expect(listChanges([one, two, one], [three, one])).toEqual({ removed: [one, two], added: [three] });
  expect(listChanges([one, two], [two, one])).toEqual({ removed: [], added: [] });
});
