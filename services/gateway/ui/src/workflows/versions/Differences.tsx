import { Alert } from '@mantine/core';
import { IconMinus, IconPencil, IconPlus } from '@tabler/icons-react';
import type { Difference } from '@/api/types';
import { listChanges } from './listChanges';
import classes from './Versions.module.css';

const KINDS = {
  added: ['Added', IconPlus],
  removed: ['Removed', IconMinus],
  changed: ['Changed', IconPencil],
} as const;

/** What differs in meaning, place by place. */
export function Differences({
  differences,
  older,
  newer,
}: {
  differences: readonly Difference[];
  older: number;
  newer: number;
}) {
  if (differences.length === 0) {
    return (
      <Alert m="sm" color="gray" variant="light">
        Versions {older} and {newer} do the same; at most comments and layout differ.
      </Alert>
    );
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: many of them scroll
    <section className={classes.differences} tabIndex={0} aria-label={`From version ${older} to ${newer}`}>
      <ul>
        {differences.map((each) => {
          const [word, Icon] = KINDS[each.kind];
          return (
            <li key={`${each.kind} ${each.path}`} className={classes.difference}>
              <span className={classes.kind} data-kind={each.kind}>
                <Icon size={13} stroke={2.4} aria-hidden />
                {word}
              </span>
              <span className={classes.place}>
                <span className={classes.path}>{each.path}</span>
                <Values difference={each} />
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Values({ difference: { kind, before, after } }: { difference: Difference }) {
  if (kind === 'added') return <span className={classes.value}>{said(after)}</span>;
  if (kind === 'removed') return <span className={classes.value}>{said(before)}</span>;
  if (Array.isArray(before) && Array.isArray(after)) {
    const { removed, added } = listChanges(before, after);
    if (removed.length + added.length === 0) return <span className={classes.value}>in another order</span>;
    return (
      <>
        {removed.map((each, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: none moves
          <Value key={index} sign="−" word="without" value={each} />
        ))}
        {added.map((each, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: none moves
          <Value key={index} sign="+" word="with" value={each} />
        ))}
      </>
    );
  }
  return (
    <>
      <Value sign="−" word="before" value={before} />
      <Value sign="+" word="after" value={after} />
    </>
  );
}

function Value({ sign, word, value }: { sign: '+' | '−'; word: string; value: unknown }) {
  return (
    <span className={classes.value} data-sign={sign}>
      <span aria-hidden>{sign} </span>
      <span className="visually-hidden">{word} </span>
      {said(value)}
    </span>
  );
}

const MOST = 300;

function said(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return text.length > MOST ? `${text.slice(0, MOST)} …` : text;
}
