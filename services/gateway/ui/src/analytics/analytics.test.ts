import { expect, test } from 'vitest';
import { before, boundsOf, includesNow, listOf, readAsked, writeAsked } from './range';
import { changeText, intervalText, pointsText, rateText, shareText } from './words';
import { inputOf, instantOf, isoOfInput, midnight } from './zones';

const asked = (address: string) => readAsked(new URLSearchParams(address));

test('days begin at the midnight of the zone, also where clocks change', () => {
  const at = (iso: string, zone: string, days = 0) => new Date(midnight(Date.parse(iso), zone, days)).toISOString();
  expect(at('2026-11-23T23:30:00Z', 'Europe/Berlin')).toBe('2026-11-23T23:00:00.000Z');
  expect(at('2026-03-30T10:00:00Z', 'Europe/Berlin', 1)).toBe('2026-03-28T23:00:00.000Z');
  expect(at('2026-03-29T10:00:00Z', 'Europe/Berlin', -1)).toBe('2026-03-29T22:00:00.000Z');
  expect(at('2026-11-23T12:00:00Z', 'Asia/Kathmandu')).toBe('2026-11-22T18:15:00.000Z');
  // skipped: clocks went from 24:00 to 01:00
  expect(at('2018-11-04T12:00:00Z', 'America/Sao_Paulo')).toBe('2018-11-04T03:00:00.000Z');
  // twice: clocks went from 01:00 back to 00:00
  expect(at('2025-11-02T18:00:00Z', 'America/Havana')).toBe('2025-11-02T04:00:00.000Z');
});

test('what is entered is of the zone that is chosen', () => {
  expect(isoOfInput('2026-07-01T08:30', 'America/New_York')).toBe('2026-07-01T12:30:00.000Z');
  expect(inputOf('2026-07-01T12:30:00.000Z', 'America/New_York')).toBe('2026-07-01T08:30');
  expect(isoOfInput('', 'UTC')).toBeNull();
  expect(instantOf(Date.UTC(2026, 6, 1), 'UTC')).toBe(Date.UTC(2026, 6, 1));
});

test('an address says what is asked and gives it back; what it says wrongly is left out', () => {
  for (const address of [
    '',
    'range=30d&tz=Europe%2FBerlin&workflowId=x&trigger=cron',
    'from=2026-11-01T00%3A00%3A00.000Z',
  ])
    expect(writeAsked(asked(address)).toString()).toBe(address);
  expect(asked('range=9y&tz=Moon%2FSea&trigger=moon&from=yesterday')).toMatchObject({
    range: '7d',
    zone: null,
    trigger: null,
  });
});

test('a range of days begins at a midnight and ends now; only then it changes', () => {
  const now = Date.parse('2026-11-23T12:07:00Z');
  expect(boundsOf(asked('range=7d'), 'Europe/Berlin', now)).toEqual({ from: '2026-11-16T23:00:00.000Z' });
  expect(boundsOf(asked('range=today'), 'UTC', now)).toEqual({ from: '2026-11-23T00:00:00.000Z' });
  expect(boundsOf(asked('range=24h'), 'UTC', now)).toEqual({ from: '2026-11-22T12:00:00.000Z' });
  expect(includesNow(asked('range=24h'), now)).toBe(true);
  expect(includesNow(asked('from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z'), now)).toBe(false);
  expect(before('2026-11-23T00:00:00.000Z', '2026-11-23T12:15:00.000Z', Date.parse('2026-11-23T12:00:00Z'))).toEqual({
    from: '2026-11-22T12:00:00.000Z',
    to: '2026-11-23T00:00:00.000Z',
  });
});

test('a figure links to the list of what it counts', () => {
  const what = {
    from: '2026-11-01T00:00:00.000Z',
    to: '2026-11-02T00:00:00.000Z',
    workflowId: 'w',
    trigger: 'cron' as const,
  };
  expect(listOf(what, ['failed'])).toBe(
    '/automation/executions?status=failed&workflowId=w&trigger=cron&from=2026-11-01T00%3A00%3A00.000Z&to=2026-11-02T00%3A00%3A00.000Z',
  );
});

test('figures are said so that nothing is claimed that is not so', () => {
  expect([rateText(null), rateText(1), rateText(0.99999), rateText(0.984), rateText(0)]).toEqual([
    '–',
    '100 %',
    '99.9 %',
    '98.4 %',
    '0 %',
  ]);
  expect([changeText(15, 10), changeText(5, 10), changeText(5, 0), changeText(null, 3)]).toEqual([
    '+50 %',
    '−50 %',
    null,
    null,
  ]);
  expect([shareText(1, 6000), shareText(0, 6000), shareText(6000, 6000)]).toEqual(['< 0.1 %', '0 %', '100 %']);
  expect(pointsText(0.9, 0.95)).toBe('−5 points');
  expect(intervalText('2026-11-23T14:00:00+01:00', 'hour')).toBe('14:00');
});
