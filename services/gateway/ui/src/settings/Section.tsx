import { Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { Panel } from '@/ui/Page';
import classes from './Section.module.css';

/** A section of the settings: what it is about, what can be done in it, its content. */
export function Section({
  title,
  about,
  actions,
  children,
}: {
  title: string;
  about: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  return (
    <Panel className={classes.section}>
      <header className={classes.head}>
        <div className={classes.words}>
          <Title order={2}>{title}</Title>
          <Text size="sm" c="dimmed" component="div">
            {about}
          </Text>
        </div>
        {actions && <div className={classes.actions}>{actions}</div>}
      </header>
      {children}
    </Panel>
  );
}

/** What is inside of a section, with its margins. */
export function Body({ children }: { children: ReactNode }) {
  return <div className={classes.body}>{children}</div>;
}

/**
 * A table that scrolls by itself; where there is little room a card for each row, with the name of the column beside each
 * value. `label`: what its rows are; a name in `head` that begins with “!” is only heard.
 */
export function Rows({ label, head, children }: { label: string; head: readonly string[]; children: ReactNode }) {
  const names = Object.fromEntries(
    head.map((each, column) => [`--column-${column + 1}`, each.startsWith('!') ? '""' : JSON.stringify(each)]),
  );
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, by keys too
    <section className={classes.scroll} aria-label={label} tabIndex={0}>
      <table className={classes.table} style={names} data-actions={head.at(-1)?.startsWith('!')}>
        <thead>
          <tr>
            {head.map((each) => (
              <th key={each} scope="col">
                {each.startsWith('!') ? <span className="visually-hidden">{each.slice(1)}</span> : each}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}
