/** Clocks of time zones: which instant a wall clock there shows, and the other way round. */

const FORMATS = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = FORMATS.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    FORMATS.set(zone, format);
  }
  return format;
}

export function isZone(zone: string): boolean {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false; // this browser does not know it
  }
}

/** Milliseconds since 1970 of the wall clock, as if it were one of UTC. */
export function wallOf(instant: number, zone: string): number {
  const parts = Object.fromEntries(
    formatOf(zone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, Number(value)]),
  ) as Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second', number>;
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);
}

const DAY = 86_400_000;

/** The first instant at which the clock shows it; one that the clock skips is the instant at which it skips it. */
export function instantOf(wall: number, zone: string): number {
  const offsets = [wall - DAY, wall + DAY].map((near) => wallOf(near, zone) - near);
  const found = offsets.map((offset) => wall - offset).filter((each) => wallOf(each, zone) === wall);
  return found.length > 0 ? Math.min(...found) : wall - (offsets[0] ?? 0);
}

/** The midnight that began the day, or that of so many days before. */
export function midnight(instant: number, zone: string, daysBefore = 0): number {
  return instantOf(Math.floor(wallOf(instant, zone) / DAY) * DAY - daysBefore * DAY, zone);
}

/** `2026-11-23T14:05`, as inputs of date and time have it. */
export function inputOf(iso: string, zone: string): string {
  return new Date(wallOf(Date.parse(iso), zone)).toISOString().slice(0, 16);
}

export function isoOfInput(text: string, zone: string): string | null {
  const wall = Date.parse(`${text}Z`);
  return Number.isNaN(wall) ? null : new Date(instantOf(wall, zone)).toISOString();
}

export function browserZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
