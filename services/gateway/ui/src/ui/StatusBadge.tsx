import type { CSSProperties } from 'react';
import type { Look } from '@/theme/status';
import classes from './StatusBadge.module.css';

/** A status as colour, icon and word. `bare`: without a ground, for dense lists. */
export function StatusBadge({ look, bare = false, label }: { look: Look; bare?: boolean; label?: string }) {
  const { icon: Icon, tone, animated } = look;
  const style = { '--tone': `var(--ry-${tone})`, '--ground': `var(--ry-${tone}-ground)` } as CSSProperties;
  return (
    <span className={bare ? `${classes.badge} ${classes.bare}` : classes.badge} style={style}>
      <Icon
        size={14}
        stroke={2.2}
        className={animated ? `${classes.icon} ${classes.turning}` : classes.icon}
        aria-hidden
      />
      {label ?? look.label}
    </span>
  );
}
