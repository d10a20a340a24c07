import { Tooltip } from '@mantine/core';
import { useNow } from './clock';
import { durationText, fullInstantText } from './time';

/** How long until `at`, to the second; `over` when it has come. Ticks. */
export function Countdown({ at, over = 'any moment' }: { at: string; over?: string }) {
  const ms = new Date(at).getTime() - useNow();
  return (
    <Tooltip label={fullInstantText(at)}>
      <time dateTime={at} className="numbers">
        {ms > 0 ? durationText(Math.ceil(ms / 1000) * 1000).replace('.0 s', ' s') : over}
      </time>
    </Tooltip>
  );
}
