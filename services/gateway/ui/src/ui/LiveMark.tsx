import { IconPlugConnected, IconPlugConnectedX } from '@tabler/icons-react';
import type { StreamState } from '@/api/stream';
import classes from './StatusBadge.module.css';

/** Whether what is shown is live, said where it matters: a page that is not says so before anyone trusts it. */
export function LiveMark({ state }: { state: StreamState }) {
  if (state === 'ended') return null;
  const live = state === 'live';
  const Icon = live ? IconPlugConnected : IconPlugConnectedX;
  const tone = live ? 'green' : 'amber';
  return (
    <span
      className={`${classes.badge} ${live ? classes.bare : ''}`}
      style={{ '--tone': `var(--ry-${tone})`, '--ground': `var(--ry-${tone}-ground)` } as React.CSSProperties}
      role="status"
    >
      <Icon size={14} aria-hidden />
      {live ? 'Live' : state === 'connecting' ? 'Connecting …' : 'Reconnecting …'}
    </span>
  );
}
