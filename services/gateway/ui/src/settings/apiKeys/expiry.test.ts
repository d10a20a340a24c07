import { expect, test } from 'vitest';
import { expiresAt } from './expiry';

const NOW = Date.parse('2026-11-23T12:00:00Z');

test('a key ends after so many days, at the end of a day, or never', () => {
  expect(expiresAt('30', '', NOW)).toBe('2026-12-23T12:00:00.000Z');
  expect(expiresAt('never', '', NOW)).toBeNull();
  expect(expiresAt('day', '2027-03-31', NOW)).toBe(new Date('2027-03-31T23:59:59').toISOString());
});

test('a day that is over or is none makes no key', () => {
  for (const day of ['', '2026-11-01', 'soon']) expect(expiresAt('day', day, NOW)).toBeUndefined();
});
