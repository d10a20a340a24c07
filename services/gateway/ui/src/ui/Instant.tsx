import { useNow } from './clock';
import { distanceText, durationText, fullInstantText, instantText } from './time';

/** A point in time, short, with all of it under the pointer. */
export function Instant({ at, empty = '–' }: { at: string | null | undefined; empty?: string }) {
  if (!at) return <span>{empty}</span>;
  return (
    <time dateTime={at} className="numbers" title={`${fullInstantText(at)} · ${at}`}>
      {instantText(at)}
    </time>
  );
}

/** How long ago, or how long until; ticks. */
export function Distance({ at }: { at: string }) {
  const now = useNow();
  return (
    <time dateTime={at} className="numbers" title={fullInstantText(at)}>
      {distanceText(at, now)}
    </time>
  );
}

/** From `startedAt` until `finishedAt`, or until now while that is null; frozen at the end (R9). */
export function Duration({ startedAt, finishedAt }: { startedAt: string | null; finishedAt: string | null }) {
  const now = useNow(finishedAt === null && startedAt !== null);
  if (startedAt === null) return <span>–</span>;
  const end = finishedAt === null ? now : new Date(finishedAt).getTime();
  return <span className="numbers">{durationText(end - new Date(startedAt).getTime())}</span>;
}
