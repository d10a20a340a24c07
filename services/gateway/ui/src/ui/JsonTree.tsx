/** Any JSON value to be read: folded and unfolded, each part of it copied; what is long is shown in parts. */
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useState } from 'react';
import { CopyButton } from './CopyButton';
import classes from './JsonTree.module.css';

const AT_ONCE = 100;
const LONG_TEXT = 2000;

/** `open`: how many levels are unfolded at first. */
export function JsonTree({ name, value, open = 1 }: { name: string; value: unknown; open?: number }) {
  return (
    <ul className={`${classes.list} mono`}>
      <Branch name={name} value={value} open={open} />
    </ul>
  );
}

function Branch({ name, value, open }: { name: string; value: unknown; open: number }) {
  const [opened, setOpened] = useState(open > 0);
  const [shown, setShown] = useState(AT_ONCE);
  if (typeof value !== 'object' || value === null) {
    return (
      <li>
        <div className={`${classes.row} ${classes.leaf}`}>
          <span className={classes.key}>{name}</span>
          <Leaf value={value} />
          <Copy name={name} value={value} />
        </div>
      </li>
    );
  }
  const list = Array.isArray(value);
  const entries = Object.entries(value);
  const Icon = opened ? IconChevronDown : IconChevronRight;
  return (
    <li>
      <div className={classes.row}>
        <button type="button" className={classes.toggle} aria-expanded={opened} onClick={() => setOpened(!opened)}>
          <Icon size={16} aria-hidden />
          <span className={classes.key}>{name}</span>
        </button>
        <span className={classes.size}>{size(entries.length, list)}</span>
        <Copy name={name} value={value} />
      </div>
      {opened && entries.length > 0 && (
        <ul className={classes.list}>
          {entries.slice(0, shown).map(([key, each]) => (
            <Branch key={key} name={key} value={each} open={open - 1} />
          ))}
          {entries.length > shown && (
            <li>
              <button type="button" className={classes.more} onClick={() => setShown(shown + AT_ONCE)}>
                Show {Math.min(AT_ONCE, entries.length - shown)} more of {entries.length}
              </button>
            </li>
          )}
        </ul>
      )}
    </li>
  );
}

function size(count: number, list: boolean): string {
  const [one, many] = list ? ['item', 'items'] : ['field', 'fields'];
  return `${count} ${count === 1 ? one : many}`;
}

function Leaf({ value }: { value: unknown }) {
  const [all, setAll] = useState(false);
  if (typeof value === 'string') {
    const cut = !all && value.length > LONG_TEXT;
    return (
      <span className={`${classes.value} ${classes.string}`}>
        {value === '' ? '""' : cut ? value.slice(0, LONG_TEXT) : value.replace(/\n$/, '')}
        {cut && (
          <button type="button" className={classes.more} onClick={() => setAll(true)}>
            {' '}
            Show all {value.length.toLocaleString()} characters
          </button>
        )}
      </span>
    );
  }
  return <span className={typeof value === 'number' ? classes.number : classes.other}>{String(value)}</span>;
}

function Copy({ name, value }: { name: string; value: unknown }) {
  return (
    <span className={classes.copy}>
      <CopyButton value={typeof value === 'string' ? value : JSON.stringify(value, null, 2)} what={name} />
    </span>
  );
}
