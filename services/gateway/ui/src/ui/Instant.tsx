import { Tooltip } from '@mantine/core';
import { useNow } from './clock';
import { distanceText, durationText, fullInstantText, instantText } from './time';

/** A point in time, short, with all of it on hover or focus. */
export function Instant({ at, empty = '–' }: { at: string | null | undefined; empty?: string }) {
  if (!at) return <span>{empty}</span>;
  return (
    <Tooltip label={`${fullInstantText(at)} · ${at}`}>
      <time dateTime={at} className="numbers">
        {instantText(at)}
      </time>
    </Tooltip>
  );
}

/** How long ago, or how long until; ticks. */
export function Distance({ at }: { at: string }) {
  const now = useNow();
  return (
    <Tooltip label={fullInstantText(at)}>
      <time dateTime={at} className="numbers">
        {distanceText(at, now)}
      </time>
    </Tooltip>
  );
}

/** From `startedAt` until `finishedAt`, or until now while that is null; frozen at the end (R9). */
export function Duration({ startedAt, finishedAt }: { startedAt: string | null; finishedAt: string | null }) {
  const now = useNow(finishedAt === null && startedAt !== null);
  if (startedAt === null) return <span>–</span>;
  const end = finishedAt === null ? now : new Date(finishedAt).getTime();
  return <span className="numbers">{durationText(end - new Date(startedAt).getTime())}</span>;
}
