/** Of which incidents: rows of field, comparison and value. What is no row stands among them as text; the whole can be text too. */
import { ActionIcon, Button, SegmentedControl, Select, TagsInput, Textarea, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import {
  asTerm,
  COMPARISONS,
  type Comparison,
  changed,
  comparisonsOf,
  type Joint,
  joinedBy,
  type Row,
  TAGS,
  TEXTS,
  takesSeveral,
  termsOf,
  withMore,
  withoutTerm,
  withTerm,
  written,
} from '../conditions';
import classes from './Form.module.css';

const FIELDS = [...TEXTS.slice(0, 6), TAGS, ...TEXTS.slice(6)].map((value) => ({
  value,
  label: (value[0] ?? '').toUpperCase() + value.slice(1),
}));
/** What monitoring usually says; anything may be written. */
const USUAL: Readonly<Record<string, readonly string[]>> = {
  severity: ['critical', 'high', 'medium', 'low', 'info'],
};
const FIRST: Row = { field: 'severity', comparison: 'in', values: ['critical', 'high'] };

export function Condition({
  label,
  value,
  error,
  readOnly,
  onChange,
}: {
  label: string;
  value: unknown;
  error: string | undefined;
  readOnly: boolean;
  onChange: (condition: string | undefined) => void;
}) {
  const condition = typeof value === 'string' ? value : '';
  const found = typeof value === 'string' || value === undefined || value === null ? termsOf(condition) : null;
  const [wanted, setWanted] = useState<'rows' | 'text'>(() =>
    found === null || (found.terms.length === 1 && found.terms[0]?.row === null) ? 'text' : 'rows',
  );
  const change = (next: string) => onChange(next.trim() === '' ? undefined : next);
  if (found === null || wanted === 'text')
    return (
      <fieldset className={classes.group}>
        <legend>{label}</legend>
        <Textarea
          size="xs"
          aria-label={label}
          description="CEL over incident that must be true"
          placeholder={'incident.severity in ["critical", "high"] && incident.service == "web"'}
          classNames={{ input: classes.code }}
          autosize
          minRows={2}
          maxRows={12}
          spellCheck={false}
          disabled={readOnly}
          error={error}
          value={typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value)}
          onChange={({ currentTarget }) => change(currentTarget.value)}
        />
        <Button
          mt={6}
          size="compact-xs"
          variant="subtle"
          disabled={found === null}
          title={
            found === null ? 'A bracket or a quote is open, or it has something that only a text can have' : undefined
          }
          onClick={() => setWanted('rows')}
        >
          Show as rows
        </Button>
      </fieldset>
    );
  const { joint, terms } = found;
  const free = FIELDS.find((each) => !terms.some(({ row }) => row?.field === each.value))?.value ?? 'severity';
  return (
    <fieldset className={classes.group}>
      <legend>{label}</legend>
      {terms.length === 0 ? (
        <p className={classes.none}>Every incident with one of these events starts it.</p>
      ) : terms.length === 1 ? null : (
        <SegmentedControl
          size="xs"
          aria-label="How many of them must hold"
          disabled={readOnly}
          value={joint}
          onChange={(next) => change(joinedBy(condition, next as Joint))}
          data={[
            { value: '&&', label: 'All of these' },
            { value: '||', label: 'Any of these' },
          ]}
        />
      )}
      <ul
        className={classes.conditions}
        aria-label={joint === '&&' ? 'All of these must hold' : 'Any of these must hold'}
      >
        {terms.map((term, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a part of an expression has nothing else of its own
          <li key={at}>
            {term.row ? (
              <Fields
                row={term.row}
                place={at + 1}
                readOnly={readOnly}
                onChange={(row) => change(withTerm(condition, term, written(row)))}
              />
            ) : (
              <AsText
                key={term.text}
                text={term.text}
                place={at + 1}
                readOnly={readOnly}
                onChange={(text) => change(withTerm(condition, term, text))}
              />
            )}
            {!readOnly && (
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label={`Remove part ${at + 1} of the condition`}
                onClick={() => change(withoutTerm(condition, at))}
              >
                <IconX size={15} aria-hidden />
              </ActionIcon>
            )}
          </li>
        ))}
      </ul>
      {error !== undefined && <p className={classes.wrong}>{error}</p>}
      {!readOnly && (
        <div className={classes.sectionHead}>
          <div>
            <Button
              size="compact-xs"
              variant="default"
              leftSection={<IconPlus size={12} aria-hidden />}
              onClick={() => {
                const row: Row =
                  terms.length === 0 ? FIRST : changed({ ...FIRST, values: [] }, { field: free, comparison: 'is' });
                change(withMore(condition, written(row)));
              }}
            >
              {terms.length === 0 ? 'Only some of them' : 'Add a condition'}
            </Button>
          </div>
          <Button size="compact-xs" variant="subtle" onClick={() => setWanted('text')}>
            Show as text
          </Button>
        </div>
      )}
    </fieldset>
  );
}

function Fields({
  row,
  place,
  readOnly,
  onChange,
}: {
  row: Row;
  place: number;
  readOnly: boolean;
  onChange: (row: Row) => void;
}) {
  const { field, comparison, values } = row;
  const common = { size: 'xs', disabled: readOnly } as const;
  return (
    <div className={classes.condition}>
      <Select
        {...common}
        aria-label={`Field ${place}`}
        data={FIELDS}
        value={field}
        allowDeselect={false}
        onChange={(next) => next && onChange(changed(row, { field: next }))}
      />
      <Select
        {...common}
        aria-label={`Comparison ${place}`}
        data={comparisonsOf(field).map((value) => ({ value, label: COMPARISONS[value] }))}
        value={comparison}
        allowDeselect={false}
        onChange={(next) => next && onChange(changed(row, { comparison: next as Comparison }))}
      />
      {takesSeveral(comparison) ? (
        <TagsInput
          {...common}
          className={classes.conditionValue}
          aria-label={`Values ${place}`}
          data={[...(USUAL[field] ?? [])]}
          value={[...values]}
          acceptValueOnBlur
          placeholder={values.length === 0 ? 'type, then Enter' : undefined}
          error={
            values.length === 0
              ? comparison === 'in'
                ? 'None: it never starts'
                : 'None: it leaves out nothing'
              : undefined
          }
          onChange={(next) => onChange({ ...row, values: next })}
        />
      ) : (
        <TextInput
          {...common}
          className={classes.conditionValue}
          aria-label={`Value ${place}`}
          placeholder="empty"
          autoComplete="off"
          spellCheck={false}
          value={values[0] ?? ''}
          onChange={({ currentTarget }) => onChange({ ...row, values: [currentTarget.value] })}
        />
      )}
    </div>
  );
}

/** Taken over when it is left or Enter is pressed: half an expression would fall apart otherwise. */
function AsText({
  text,
  place,
  readOnly,
  onChange,
}: {
  text: string;
  place: number;
  readOnly: boolean;
  onChange: (text: string) => void;
}) {
  const [typed, setTyped] = useState(text);
  const term = asTerm(typed);
  const take = () => term !== null && term !== text && onChange(term);
  return (
    <Textarea
      size="xs"
      style={{ flex: 1 }}
      aria-label={`Part ${place} of the condition, as text`}
      classNames={{ input: classes.code }}
      disabled={readOnly}
      autosize
      minRows={1}
      maxRows={6}
      spellCheck={false}
      value={typed}
      error={term === null ? 'A bracket or a quote is open, or nothing is there' : undefined}
      onChange={({ currentTarget }) => setTyped(currentTarget.value)}
      onBlur={take}
      onKeyDown={(event) => {
        if (event.key === 'Enter') {
          event.preventDefault();
          take();
        }
        if (event.key === 'Escape') setTyped(text);
      }}
    />
  );
}
