/** Several fields of one owner; those that are seldom needed below a fold, which is open if one of them is set. */
import { Button, Collapse } from '@mantine/core';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useState } from 'react';
import type { FieldProblem } from '@/ui/schemaForm/paths';
import type { KnownPath } from '../completion/paths';
import type { Known } from '../useSurroundings';
import { FieldInput } from './FieldInput';
import classes from './Form.module.css';
import type { Field } from './fields';

const NARROW: ReadonlySet<string> = new Set(['number', 'choice', 'pick', 'connection', 'pool', 'workflow']);

/** Two of these fit beside one another. */
function isNarrow({ kind, ...control }: Field['control']): boolean {
  return NARROW.has(kind) || (kind === 'text' && ((control as { lines?: number }).lines ?? 1) === 1);
}

export function Fields({
  fields,
  owner,
  problems,
  known,
  paths = [],
  readOnly,
  onChange,
}: {
  fields: readonly Field[];
  owner: Readonly<Record<string, unknown>>;
  problems: readonly FieldProblem[];
  known: Known;
  paths?: readonly KnownPath[];
  readOnly: boolean;
  onChange: (name: string, value: unknown) => void;
}) {
  const more = fields.filter((each) => each.more);
  const [opened, setOpened] = useState(() => more.some(({ name }) => owner[name] !== undefined));
  const shown = (list: readonly Field[]) => (
    <div className={classes.fields} style={{ marginTop: 12 }}>
      {list.map((field) => (
        <div key={field.name} className={isNarrow(field.control) ? undefined : classes.wide}>
          <FieldInput
            field={field}
            owner={owner}
            problems={problems}
            known={known}
            paths={paths}
            readOnly={readOnly}
            onChange={(value) => onChange(field.name, value)}
          />
        </div>
      ))}
    </div>
  );
  return (
    <>
      {shown(fields.filter((each) => !each.more))}
      {more.length > 0 && (
        <>
          <Button
            mt="sm"
            size="compact-sm"
            variant="subtle"
            aria-expanded={opened}
            leftSection={
              opened ? <IconChevronDown size={14} aria-hidden /> : <IconChevronRight size={14} aria-hidden />
            }
            onClick={() => setOpened(!opened)}
          >
            More
          </Button>
          <Collapse expanded={opened}>{shown(more)}</Collapse>
        </>
      )}
    </>
  );
}
