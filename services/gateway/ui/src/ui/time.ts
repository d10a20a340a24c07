/** Times and durations in words. Durations are milliseconds. */

/** `40 ms`, `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function durationText(ms: number): string {
  if (ms > 0 && ms < 95) return `${Math.ceil(ms)} ms`;
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const whole = Math.floor(seconds);
  if (whole < 3600) return two(Math.floor(whole / 60), 'min', whole % 60, 's');
  if (whole < 86_400) return two(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min');
  return two(Math.floor(whole / 86_400), 'd', Math.floor((whole % 86_400) / 3600), 'h');
}

function two(big: number, unit: string, small: number, smaller: string): string {
  return small === 0 ? `${big} ${unit}` : `${big} ${unit} ${small} ${smaller}`;
}

const DAY = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });
const DAY_OF_YEAR = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric' });
const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });

/** As short as it stays unmistakable: today only the clock, this year without the year. */
export function instantText(iso: string, now: Date = new Date()): string {
  const at = new Date(iso);
  const clock = CLOCK.format(at);
  if (at.toDateString() === now.toDateString()) return clock;
  return `${(at.getFullYear() === now.getFullYear() ? DAY : DAY_OF_YEAR).format(at)}, ${clock}`;
}

/** With day, zone and all, for a tooltip. */
export function fullInstantText(iso: string): string {
  return FULL.format(new Date(iso));
}

/** `in 12 min`, `3 min ago`. */
export function distanceText(iso: string, now: number): string {
  const ms = new Date(iso).getTime() - now;
  const roughly = roughText(Math.abs(ms));
  return ms >= 0 ? `in ${roughly}` : `${roughly} ago`;
}

function roughText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
