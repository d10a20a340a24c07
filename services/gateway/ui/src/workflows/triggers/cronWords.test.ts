import { expect, test } from 'vitest';
import { cronWords } from './cronWords';

test('common schedules are said in words', () => {
  const said = Object.fromEntries(
    [
      '* * * * *',
      '*/5 * * * *',
      '30 * * * *',
      '0 */6 * * *',
      '0 6 * * *',
      '0 6 * * 1-5',
      '15 8,20 * * mon,7',
      '0 0 1 * *',
    ].map((cron) => [cron, cronWords(cron)]),
  );
  expect(said).toEqual({
    '* * * * *': 'every minute',
    '*/5 * * * *': 'every 5 minutes',
    '30 * * * *': 'every hour at :30',
    '0 */6 * * *': 'every 6 hours at :00',
    '0 6 * * *': 'every day at 06:00',
    '0 6 * * 1-5': 'at 06:00 on Monday to Friday',
    '15 8,20 * * mon,7': 'at 08:15 and 20:15 on Monday and Sunday',
    '0 0 1 * *': 'at 00:00 on day 1 of the month',
  });
});

test('what words would make less clear is left as it is', () => {
  for (const cron of ['*/7 * * * *', '0 6 1 * 1', '0 6 * 3 *', '0-30 6 * * *', '0 6', '99 6 * * *'])
    expect(cronWords(cron)).toBeNull();
});
