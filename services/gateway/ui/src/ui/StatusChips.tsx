import { UnstyledButton } from '@mantine/core';
import type { Look } from '@/theme/status';
import { StatusBadge } from './StatusBadge';
import classes from './StatusChips.module.css';

interface Props<Status extends string> {
  /** Of a list, in the order in which they are offered. */
  statuses: readonly Status[];
  looks: Record<Status, Look>;
  chosen: readonly Status[];
  onChange: (statuses: Status[]) => void;
  /** How many there are of one; a space until it is known. */
  count: (status: Status) => string | number;
}

/** A filter by status: several at once, each with how many it would find. */
export function StatusChips<Status extends string>({ statuses, looks, chosen, onChange, count }: Props<Status>) {
  return (
    <fieldset className={classes.chips}>
      <legend className="visually-hidden">Status</legend>
      {statuses.map((status) => {
        const pressed = chosen.includes(status);
        return (
          <UnstyledButton
            key={status}
            className={classes.chip}
            aria-pressed={pressed}
            onClick={() => onChange(pressed ? chosen.filter((each) => each !== status) : [...chosen, status])}
          >
            <StatusBadge look={{ ...looks[status], animated: false }} bare />
            <span className={classes.number}>{count(status)}</span>
          </UnstyledButton>
        );
      })}
    </fieldset>
  );
}
