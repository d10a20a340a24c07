/** Common schedules in words; null for those that are better read as they are written. */

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const DAY_NAMES = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

export function cronWords(cron: string): string | null {
  const [minute, hour, dayOfMonth, month, dayOfWeek, ...rest] = cron.trim().split(/\s+/);
  if (!minute || !hour || !dayOfMonth || !month || !dayOfWeek || rest.length > 0 || month !== '*') return null;
  const when = timesOf(minute, hour);
  const days = daysOf(dayOfMonth, dayOfWeek);
  if (when === null || days === null) return null;
  const { often, text } = when;
  if (days === '') return often ? text : `every day ${text}`;
  return `${text} ${days}`;
}

function timesOf(minute: string, hour: string): { often: boolean; text: string } | null {
  if (hour === '*') {
    if (minute === '*') return { often: true, text: 'every minute' };
    const step = /^\*\/(\d+)$/.exec(minute)?.[1];
    // a step that does not divide the hour begins anew with each: not every so many minutes
    if (step) return 60 % Number(step) === 0 ? { often: true, text: `every ${step} minutes` } : null;
    const at = numbers(minute, 59);
    return at && { often: true, text: `every hour at ${at.map((each) => `:${two(each)}`).join(', ')}` };
  }
  const at = numbers(minute, 59);
  if (at === null) return null;
  const step = /^\*\/(\d+)$/.exec(hour)?.[1];
  if (step) {
    if (at.length !== 1 || 24 % Number(step) !== 0) return null;
    return { often: true, text: `every ${step} hours at :${two(at[0] ?? 0)}` };
  }
  const hours = numbers(hour, 23);
  if (hours === null || hours.length * at.length > 4) return null;
  const times = hours.flatMap((each) => at.map((minutes) => `${two(each)}:${two(minutes)}`));
  return { often: false, text: `at ${listed(times)}` };
}

function daysOf(dayOfMonth: string, dayOfWeek: string): string | null {
  if (dayOfMonth === '*' && dayOfWeek === '*') return '';
  if (dayOfMonth !== '*' && dayOfWeek !== '*') return null;
  if (dayOfMonth !== '*') {
    const days = numbers(dayOfMonth, 31);
    return days && `on day ${listed(days.map(String))} of the month`;
  }
  const days: string[] = [];
  for (const part of dayOfWeek.toLowerCase().split(',')) {
    const [from, to, ...rest] = part.split('-').map(dayOf);
    if (from === undefined || from === null || to === null || rest.length > 0) return null;
    if (to === undefined) days.push(DAYS[from] ?? '');
    else days.push(`${DAYS[from]} to ${DAYS[to]}`);
  }
  return `on ${listed(days)}`;
}

function dayOf(text: string): number | null {
  const named = DAY_NAMES.indexOf(text);
  if (named >= 0) return named;
  return /^[0-7]$/.test(text) ? Number(text) % 7 : null;
}

function numbers(text: string, most: number): number[] | null {
  const all = text.split(',');
  return all.every((each) => /^\d{1,2}$/.test(each) && Number(each) <= most) ? all.map(Number) : null;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items[items.length - 1]}`;
}
