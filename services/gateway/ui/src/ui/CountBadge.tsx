import classes from './CountBadge.module.css';

/** How many there are to be dealt with, beside the name of the place. `more`: there are more than so many. */
export function CountBadge({
  count,
  more = false,
  what,
  tone = 'indigo',
}: {
  count: number;
  more?: boolean;
  /** What it counts, for those who do not see where it stands. */
  what?: string;
  tone?: 'indigo' | 'amber';
}) {
  return (
    <span className={classes.count} data-tone={tone}>
      {count}
      {more && '+'}
      {what !== undefined && <span className="visually-hidden"> {what}</span>}
    </span>
  );
}
