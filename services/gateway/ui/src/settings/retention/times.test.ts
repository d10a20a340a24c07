import { expect, test } from 'vitest';
import { shortens } from './times';

const EVER = { historyMonths: null, auditMonths: null, outputDays: 0 };

test('keeping less says what goes', () => {
  const goes = shortens(EVER, { historyMonths: 12, auditMonths: 1, outputDays: 7 }, 30);
  expect(goes).toHaveLength(3);
  expect(goes[0]).toContain('12 months');
  expect(goes[1]).toContain('1 month ago');
  expect(goes[2]).toContain('7 days');
});

test('keeping as long or longer lets nothing go', () => {
  const kept = { historyMonths: 12, auditMonths: 24, outputDays: 30 };
  expect(shortens(kept, kept, 30)).toEqual([]);
  expect(shortens(kept, EVER, 30)).toEqual([]);
  expect(shortens(kept, { ...kept, outputDays: null }, 30)).toEqual([]);
  expect(shortens(kept, { ...kept, outputDays: null }, 14)).toHaveLength(1);
});
