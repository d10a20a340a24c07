import classes from './ParkedCount.module.css';
import { useParkedCount } from './queries';

/** Beside the name of the section: how many messages wait for somebody to do something. */
export function ParkedCount() {
  const { data } = useParkedCount();
  if (!data?.count) return null;
  return (
    <span className={classes.count}>
      {data.count}
      {data.more && '+'}
      <span className="visually-hidden"> waiting</span>
    </span>
  );
}
