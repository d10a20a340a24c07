import { Countdown } from '@/ui/Countdown';
import { useNow } from '@/ui/clock';
import { durationText } from '@/ui/time';
import type { Doing } from './doing';

/** Until when, if that is known; else for how long already. Ticks. */
export function HowLong({ kind, since, until }: Pick<Doing, 'kind' | 'since' | 'until'>) {
  if (until !== null)
    return (
      <>
        {kind === 'approval' ? 'expires in ' : kind === 'agent' ? 'gives up in ' : 'in '}
        <Countdown at={until} />
      </>
    );
  return since !== null && <Since at={since} />;
}

function Since({ at }: { at: string }) {
  const ms = useNow() - new Date(at).getTime();
  return (
    <span className="numbers">for {durationText(Math.max(0, Math.floor(ms / 1000) * 1000)).replace('.0 s', ' s')}</span>
  );
}
