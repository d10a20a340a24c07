import classes from './Load.module.css';

/** How many slots are in use, as numbers and as a bar. */
export function Load({ running, capacity }: { running: number; capacity: number }) {
  const share = capacity === 0 ? 0 : Math.min(1, running / capacity);
  return (
    <span className={classes.load}>
      <span className="numbers">
        {running} / {capacity === 0 ? '–' : capacity}
      </span>
      <span className={classes.bar} aria-hidden>
        <span className={classes.used} data-full={share === 1} style={{ width: `${share * 100}%` }} />
      </span>
    </span>
  );
}
