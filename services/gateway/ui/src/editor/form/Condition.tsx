/** A condition as rows of field, comparison and value. What is no row stands among them as text; the whole can be text too. */
import {
  ActionIcon,
  Autocomplete,
  Button,
  NumberInput,
  SegmentedControl,
  Select,
  TagsInput,
  Textarea,
  TextInput,
} from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import type { KnownPath } from '../completion/paths';
import {
  asTerm,
  COMPARISONS,
  type Comparison,
  changed,
  comparisonsOf,
  fitsIncident,
  isPath,
  type Joint,
  joinedBy,
  type Kind,
  kindOf,
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

const FIELDS = [...TEXTS.slice(0, 6), TAGS, ...TEXTS.slice(6)].map((value) => {
  const name = value.replace('incident.', '');
  return { value, label: (name[0] ?? '').toUpperCase() + name.slice(1) };
});
/** What monitoring usually says; anything may be written. */
const USUAL: Readonly<Record<string, readonly string[]>> = {
  'incident.severity': ['critical', 'high', 'medium', 'low', 'info'],
};

/** What a condition speaks of. */
interface Subject {
  /** Fields to choose from; null: any path, of which these are suggested. */
  fields: typeof FIELDS | null;
  paths: readonly KnownPath[];
  fits: (row: Row) => boolean;
  /** The first row of all. */
  first: Row;
  words: { none: string; add: string; description: string; placeholder: string };
}

export const OF_INCIDENTS: Subject = {
  fields: FIELDS,
  paths: [...TEXTS.map((path) => ({ path, kind: 'text' as const })), { path: TAGS, kind: 'list' }],
  fits: fitsIncident,
  first: { field: 'incident.severity', comparison: 'in', values: ['critical', 'high'] },
  words: {
    none: 'Every incident with one of these events starts it.',
    add: 'Only some of them',
    description: 'CEL over incident that must be true',
    placeholder: 'incident.severity in ["critical", "high"] && incident.service == "web"',
  },
};

/** Of a node: `true` where it holds, else `false`. */
export function ofNode(paths: readonly KnownPath[]): Subject {
  const [first = { path: 'inputs.name', kind: null }] = paths;
  return {
    fields: null,
    paths,
    fits: () => true,
    first: changed({ field: first.path, comparison: 'is', values: [''] }, {}, first.kind),
    words: {
      none: 'Nothing is asked yet.',
      add: 'Add a condition',
      description: 'CEL: its edges are true and false',
      placeholder: 'nodes.check.output.exitCode == 0',
    },
  };
}

export function Condition({
  label,
  value,
  error,
  readOnly,
  subject,
  onChange,
}: {
  label: string;
  value: unknown;
  error: string | undefined;
  readOnly: boolean;
  subject: Subject;
  /** Empty: there is none. */
  onChange: (condition: string) => void;
}) {
  const { fields, paths, first, words } = subject;
  const condition = typeof value === 'string' ? value : '';
  const found =
    typeof value === 'string' || value === undefined || value === null ? termsOf(condition, subject.fits) : null;
  const [wanted, setWanted] = useState<'rows' | 'text'>(() =>
    found === null || (found.terms.length === 1 && found.terms[0]?.row === null) ? 'text' : 'rows',
  );
  const change = (next: string) => onChange(next.trim() === '' ? '' : next);
  if (found === null || wanted === 'text')
    return (
      <fieldset className={classes.group}>
        <legend>{label}</legend>
        <Textarea
          size="xs"
          aria-label={label}
          description={words.description}
          placeholder={words.placeholder}
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
  const kindAt = (field: string) => paths.find(({ path }) => path === field)?.kind ?? null;
  const free = paths.find(({ path }) => !terms.some(({ row }) => row?.field === path))?.path ?? first.field;
  return (
    <fieldset className={classes.group}>
      <legend>{label}</legend>
      {terms.length === 0 ? (
        <p className={classes.none}>{words.none}</p>
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
                fields={fields}
                paths={paths}
                kindAt={kindAt}
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
                const another = changed({ ...first, values: [] }, { field: free, comparison: 'is' }, kindAt(free));
                const row = terms.length === 0 ? first : another;
                change(withMore(condition, written(row)));
              }}
            >
              {terms.length === 0 ? words.add : 'Add a condition'}
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
  fields,
  paths,
  kindAt,
  readOnly,
  onChange,
}: {
  row: Row;
  place: number;
  fields: Subject['fields'];
  paths: Subject['paths'];
  kindAt: (field: string) => Kind;
  readOnly: boolean;
  onChange: (row: Row) => void;
}) {
  const { field, comparison } = row;
  const common = { size: 'xs', disabled: readOnly } as const;
  const offered = comparisonsOf(kindAt(field));
  const choose = (next: string) => onChange(changed(row, { field: next }, kindAt(next)));
  return (
    <div className={classes.condition} data-path={fields === null}>
      {fields !== null ? (
        <Select
          {...common}
          aria-label={`Field ${place}`}
          data={fields}
          value={field}
          allowDeselect={false}
          onChange={(next) => next && choose(next)}
        />
      ) : (
        <PathInput
          key={field}
          path={field}
          label={`Field ${place}`}
          paths={paths.map(({ path }) => path)}
          readOnly={readOnly}
          onChange={choose}
        />
      )}
      <Select
        {...common}
        aria-label={`Comparison ${place}`}
        // what is written stays, whatever the field is said to hold
        data={[...new Set([...offered, comparison])].map((value) => ({ value, label: COMPARISONS[value] }))}
        value={comparison}
        allowDeselect={false}
        onChange={(next) =>
          next && onChange(changed(row, { comparison: next as Comparison }, kindOf(next as Comparison)))
        }
      />
      <Values row={row} place={place} readOnly={readOnly} onChange={onChange} />
    </div>
  );
}

function Values({
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
  const common = { size: 'xs', disabled: readOnly, className: classes.conditionValue } as const;
  if (kindOf(comparison) === 'truth') return null;
  if (kindOf(comparison) === 'number')
    return (
      <NumberInput
        {...common}
        aria-label={`Value ${place}`}
        value={Number(values[0])}
        onChange={(next) => typeof next === 'number' && onChange({ ...row, values: [String(next)] })}
      />
    );
  if (takesSeveral(comparison))
    return (
      <TagsInput
        {...common}
        aria-label={`Values ${place}`}
        data={[...(USUAL[field] ?? [])]}
        value={[...values]}
        acceptValueOnBlur
        placeholder={values.length === 0 ? 'type, then Enter' : undefined}
        error={
          values.length === 0
            ? comparison === 'in'
              ? 'None: it never holds'
              : 'None: it leaves out nothing'
            : undefined
        }
        onChange={(next) => onChange({ ...row, values: next })}
      />
    );
  return (
    <TextInput
      {...common}
      aria-label={`Value ${place}`}
      placeholder="empty"
      autoComplete="off"
      spellCheck={false}
      value={values[0] ?? ''}
      onChange={({ currentTarget }) => onChange({ ...row, values: [currentTarget.value] })}
    />
  );
}

/** Taken over when it is chosen, left, or Enter is pressed: half a path is another one. */
function PathInput({
  path,
  label,
  paths,
  readOnly,
  onChange,
}: {
  path: string;
  label: string;
  paths: readonly string[];
  readOnly: boolean;
  onChange: (path: string) => void;
}) {
  const [typed, setTyped] = useState(path);
  const right = isPath(typed);
  const take = (next: string) => isPath(next) && next !== path && onChange(next);
  return (
    <Autocomplete
      size="xs"
      aria-label={label}
      classNames={{ input: classes.code }}
      title={path}
      disabled={readOnly}
      spellCheck={false}
      autoComplete="off"
      data={[...paths]}
      // all of them, until something is typed
      filter={({ options, search }) =>
        options.filter((each) => 'value' in each && (search === path || each.value.includes(search.trim())))
      }
      value={typed}
      error={right ? undefined : 'A path, such as inputs.name'}
      onChange={setTyped}
      onOptionSubmit={take}
      onBlur={() => take(typed)}
      onKeyDown={(event) => {
        if (event.key === 'Enter') take(typed);
        if (event.key === 'Escape') setTyped(path);
      }}
    />
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
