import type { ReactNode } from 'react';
import { Link } from 'react-router';
import classes from './LinkTabs.module.css';

export interface LinkTab {
  to: string;
  label: ReactNode;
  current: boolean;
  /** How many there are of what it shows, once that is known. */
  count?: number | undefined;
}

/** Sides of one page, each with an address of its own. */
export function LinkTabs({ tabs, label }: { tabs: readonly LinkTab[]; label: string }) {
  return (
    <nav className={classes.tabs} aria-label={label}>
      {tabs.map((each) => (
        <Link key={each.to} to={each.to} className={classes.tab} aria-current={each.current ? 'page' : undefined}>
          {each.label}
          {each.count !== undefined && <span className={classes.count}>{each.count.toLocaleString()}</span>}
        </Link>
      ))}
    </nav>
  );
}
