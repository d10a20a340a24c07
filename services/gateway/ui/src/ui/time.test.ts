import { expect, test } from 'vitest';
import { distanceText, durationText, instantText } from './time';

test('durations are read at a glance', () => {
  const said = [0, 0.4, 94, 95, 420, 9_990, 12_900, 60_000, 200_000, 3_600_000, 7_500_000, 273_600_000].map(
    durationText,
  );
  expect(said).toEqual([
    '0.0 s',
    '1 ms',
    '94 ms',
    '0.1 s',
    '0.4 s',
    '10.0 s',
    '12 s',
    '1 min',
    '3 min 20 s',
    '1 h',
    '2 h 5 min',
    '3 d 4 h',
  ]);
});

test('a clock that is a little behind makes no negative durations', () => {
  expect(durationText(-50)).toBe('0.0 s');
});

test('an instant of today has no day, one of last year has its year', () => {
  const now = new Date('2026-11-23T12:00:00');
  expect(instantText('2026-11-23T09:05:07', now)).toBe('09:05:07');
  expect(instantText('2025-02-01T09:05:07', now)).toContain('2025');
});

test('a deadline says how long it is until then', () => {
  const now = Date.parse('2026-11-23T12:00:00Z');
  expect(distanceText('2026-11-23T12:12:00Z', now)).toBe('in 12 min');
  expect(distanceText('2026-11-23T11:59:30Z', now)).toBe('30 s ago');
});
