import { Instant } from './Instant';

const INSTANT = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/;

/** Words of the server, with the points in time in them by this browser's clock, as everywhere else. */
export function WithInstants({ text }: { text: string }) {
  return text.split(INSTANT).map((part, place) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text stay where they are
    place % 2 === 1 ? <Instant key={place} at={part} /> : part,
  );
}
