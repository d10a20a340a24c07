/** Figures in words. */
import { durationText } from '@/ui/time';

export const NONE = '–';

/** `98.4 %`; never 100 while something failed. */
export function rateText(rate: number | null): string {
  if (rate === null) return NONE;
  const percent = rate === 1 ? 100 : Math.min(99.9, Math.round(rate * 1000) / 10);
  return `${percent.toLocaleString(undefined, { maximumFractionDigits: 1 })} %`;
}

/** A part of a whole; never nothing while there is some. */
export function shareText(part: number, whole: number): string {
  const share = part / Math.max(1, whole);
  return part > 0 && share < 0.001 ? '< 0.1 %' : rateText(share);
}

export function durationOr(ms: number | null): string {
  return ms === null ? NONE : durationText(ms);
}

/** How it changed, in percent of what it was; null where that says nothing. */
export function changeText(now: number | null, was: number | null): string | null {
  if (now === null || was === null || was === 0) return null;
  const percent = Math.round(((now - was) / was) * 100);
  return signed(percent, '%');
}

/** Of rates: in points of a percent. */
export function pointsText(now: number | null, was: number | null): string | null {
  if (now === null || was === null) return null;
  return signed(Math.round((now - was) * 1000) / 10, 'points');
}

function signed(value: number, unit: string): string {
  if (value === 0) return `± 0 ${unit}`;
  return `${value > 0 ? '+' : '−'}${Math.abs(value).toLocaleString()} ${unit}`;
}

/** The beginning of an interval by its clock (`2026-11-23T14:00:00+01:00`). */
export function intervalText(local: string, interval: 'hour' | 'day' | 'week', long = false): string {
  const wall = new Date(`${local.slice(0, 16)}Z`);
  const day = new Intl.DateTimeFormat(undefined, {
    timeZone: 'UTC',
    day: 'numeric',
    month: 'short',
    ...(long ? { weekday: 'short', year: 'numeric' } : {}),
  }).format(wall);
  if (interval === 'hour') return long ? `${day}, ${local.slice(11, 16)}` : local.slice(11, 16);
  return interval === 'week' && long ? `Week from ${day}` : day;
}
