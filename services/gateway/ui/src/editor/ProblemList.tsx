/** Every problem of the text, each a way to its place. */
import { Text } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck, IconCircleX, IconLoader2 } from '@tabler/icons-react';
import classes from './Editor.module.css';
import type { Placed } from './places';
import type { Check } from './useCheck';

export function ProblemList({ check, onGo }: { check: Check; onGo: (problem: Placed) => void }) {
  const { problems } = check;
  return (
    <section className={classes.problems} aria-label="Problems">
      <div className={classes.problemsHead} role="status">
        <Summary check={check} />
      </div>
      {problems.length > 0 && (
        <ol className={classes.problemList}>
          {problems.map((each) => (
            <li key={`${each.severity} ${each.path} ${each.message}`}>
              <button type="button" className={classes.problem} onClick={() => onGo(each)}>
                {each.severity === 'error' ? (
                  <IconCircleX size={15} color="var(--ry-red)" aria-label="Error" />
                ) : (
                  <IconAlertTriangle size={15} color="var(--ry-amber)" aria-label="Warning" />
                )}
                <span className={`${classes.problemLine} numbers`}>line {each.line}</span>
                <span>
                  {each.path !== '' && <code>{each.path}</code>} {each.message}
                </span>
              </button>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function Summary({ check: { problems, current, error } }: { check: Check }) {
  if (error !== null && error !== undefined)
    return <Text size="xs">Not checked: {error instanceof Error ? error.message : String(error)}</Text>;
  const errors = problems.filter((each) => each.severity === 'error').length;
  const warnings = problems.length - errors;
  if (!current)
    return (
      <>
        <IconLoader2 size={15} aria-hidden /> Checking
      </>
    );
  if (problems.length === 0)
    return (
      <>
        <IconCircleCheck size={15} color="var(--ry-green)" aria-hidden /> No problems: it can be published
      </>
    );
  return (
    <>
      {errors > 0 ? (
        <IconCircleX size={15} color="var(--ry-red)" aria-hidden />
      ) : (
        <IconAlertTriangle size={15} color="var(--ry-amber)" aria-hidden />
      )}
      {[errors > 0 ? counted(errors, 'problem') : '', warnings > 0 ? counted(warnings, 'warning') : '']
        .filter(Boolean)
        .join(', ')}
    </>
  );
}

export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
