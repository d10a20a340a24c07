/** One field of a node, by its control. What is emptied is taken out of the document. */
import {
  Anchor,
  Autocomplete,
  Checkbox,
  MultiSelect,
  NumberInput,
  Select,
  TagsInput,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { Link } from 'react-router';
import { parse } from 'yaml';
import { api, take } from '@/api/client';
import { type FieldProblem, problemsBelow } from '@/ui/schemaForm/paths';
import { SchemaForm } from '@/ui/schemaForm/SchemaForm';
import type { JsonSchema } from '@/ui/schemaForm/schema';
import type { KnownPath } from '../completion/paths';
import { FIELD_WORDS } from '../fieldWords';
import { inline } from '../text/render';
import type { Known } from '../useSurroundings';
import { Condition, OF_INCIDENTS, ofNode } from './Condition';
import classes from './Form.module.css';
import type { Field } from './fields';

export interface FieldProps {
  field: Field;
  /** The node, the trigger or the document. */
  owner: Readonly<Record<string, unknown>>;
  /** Below the owner. */
  problems: readonly FieldProblem[];
  known: Known;
  /** Of a node: what its expressions may speak of. */
  paths?: readonly KnownPath[];
  readOnly: boolean;
  onChange: (value: unknown) => void;
}

export function FieldInput(props: FieldProps) {
  const { field, owner, problems, known, paths, readOnly, onChange } = props;
  const { control, name } = field;
  const value = owner[name];
  const own = problems.filter(
    ({ path }) => path === name || path.startsWith(`${name}.`) || path.startsWith(`${name}[`),
  );
  const error =
    own.length > 0
      ? own.map(({ path, message }) => (path === name ? message : `${path} ${message}`)).join('; ')
      : undefined;
  const common = {
    size: 'xs',
    label: field.label,
    description: field.plain ? undefined : FIELD_WORDS[name],
    placeholder: field.placeholder,
    required: field.required,
    disabled: readOnly,
    error,
  } as const;
  switch (control.kind) {
    case 'text': {
      const shared = {
        ...common,
        value: textOf(value),
        classNames: control.code ? { input: classes.code } : {},
        spellCheck: false,
        onChange: ({ currentTarget }: { currentTarget: { value: string } }) =>
          onChange(orNothing(currentTarget.value, field)),
      };
      return (control.lines ?? 1) > 1 ? (
        <Textarea {...shared} autosize minRows={control.lines ?? 2} maxRows={12} />
      ) : (
        <TextInput {...shared} autoComplete="off" />
      );
    }
    case 'number':
      return (
        <NumberInput
          {...common}
          value={typeof value === 'number' ? value : ''}
          onChange={(next) => onChange(typeof next === 'number' ? next : undefined)}
          min={control.min}
          max={control.max}
          allowDecimal={!control.whole}
          clampBehavior="none"
        />
      );
    case 'yesNo':
      return (
        <Checkbox
          size="xs"
          label={field.label}
          disabled={readOnly}
          error={error}
          checked={typeof value === 'boolean' ? value : control.normally}
          onChange={({ currentTarget }) =>
            onChange(currentTarget.checked === control.normally ? undefined : currentTarget.checked)
          }
        />
      );
    case 'choice':
      return (
        <Select
          {...common}
          data={[...control.options]}
          value={typeof value === 'string' ? value : control.normally}
          onChange={(next) => onChange(next === control.normally || next === null ? undefined : next)}
          allowDeselect={false}
        />
      );
    case 'texts':
      return (
        <TagsInput
          {...common}
          value={Array.isArray(value) ? value.map(String) : []}
          onChange={(next) => onChange(next.length === 0 ? undefined : next)}
          acceptValueOnBlur
        />
      );
    case 'some': {
      const chosen = Array.isArray(value) ? value.map(String) : [];
      return (
        <MultiSelect
          {...common}
          data={[...new Set([...control.options, ...chosen])]}
          value={chosen}
          onChange={onChange}
          placeholder={chosen.length === 0 ? 'choose' : undefined}
        />
      );
    }
    case 'options':
      return (
        <Lines
          {...props}
          common={common}
          read={(line) => (owner.type === 'string' ? line : (parse(line) as unknown))}
        />
      );
    case 'cases':
      return <Lines {...props} common={common} read={(line) => (/^-?\d+$/.test(line) ? Number(line) : line)} />;
    case 'incidentCondition':
    case 'condition':
      return (
        <Condition
          label={field.label}
          value={value}
          error={error}
          readOnly={readOnly}
          subject={control.kind === 'condition' ? ofNode(paths ?? []) : OF_INCIDENTS}
          onChange={(next) => onChange(orNothing(next, field))}
        />
      );
    case 'path':
      return typeof value === 'string' && value.includes('\n') ? (
        <Textarea
          {...common}
          classNames={{ input: classes.code }}
          autosize
          spellCheck={false}
          value={value}
          onChange={({ currentTarget }) => onChange(currentTarget.value)}
        />
      ) : (
        <Autocomplete
          {...common}
          classNames={{ input: classes.code }}
          spellCheck={false}
          autoComplete="off"
          data={(paths ?? []).map(({ path }) => path)}
          value={textOf(value)}
          onChange={onChange}
        />
      );
    case 'pick': {
      const find = (text: string | null) => control.options.find((each) => String(each) === text);
      return (
        <Select
          {...common}
          data={control.options.map(String)}
          value={value === undefined ? null : String(value)}
          onChange={(next) => onChange(find(next))}
          clearable
        />
      );
    }
    case 'yaml':
      return <Literal {...props} common={common} />;
    case 'connection':
      return <ConnectionField {...props} common={common} />;
    case 'pool':
      return <Named {...props} common={common} names={known.poolRows.map((each) => each.name)} />;
    case 'workflow':
      return <Named {...props} common={common} names={known.workflows.map((each) => each.name)} />;
    case 'items':
      return <Literal {...props} common={common} expression />;
    case 'values':
      return (
        <SchemaForm
          schema={VALUES}
          value={{ values: recordOf(value) }}
          onChange={(next) => onChange(next.values ?? {})}
          errors={own}
          disabled={readOnly}
          idPrefix="values"
          templated
          defaults="hint"
        />
      );
    case 'params': {
      const action = known.actionTypes.find(({ type }) => type === owner.action);
      if (!action) return <Literal {...props} common={common} />;
      return (
        <Form
          legend={field.label}
          prefix="params"
          schema={action.params as JsonSchema}
          value={value}
          errors={problemsBelow(name, problems)}
          readOnly={readOnly}
          onChange={onChange}
        />
      );
    }
    case 'workflowInputs':
      return <WorkflowInputs {...props} common={common} />;
  }
}

const VALUES: JsonSchema = {
  type: 'object',
  properties: { values: { type: 'object', title: 'Values', additionalProperties: true } },
};

interface Common {
  size: 'xs';
  label: string;
  description: string | undefined;
  placeholder: string | undefined;
  required: boolean | undefined;
  disabled: boolean;
  error: string | undefined;
}

function Form({
  legend,
  prefix,
  schema,
  value,
  errors,
  readOnly,
  onChange,
}: {
  legend: string;
  prefix: string;
  schema: JsonSchema;
  value: unknown;
  errors: readonly FieldProblem[];
  readOnly: boolean;
  onChange: (value: unknown) => void;
}) {
  // what the type says of itself is said above the form already
  const { description: _, title: __, ...shape } = schema;
  return (
    <fieldset className={classes.group}>
      <legend>{legend}</legend>
      <SchemaForm
        schema={shape}
        value={recordOf(value)}
        onChange={(next) => onChange(next)}
        errors={errors}
        disabled={readOnly}
        idPrefix={prefix}
        templated
        defaults="hint"
      />
    </fieldset>
  );
}

function ConnectionField({ owner, known, onChange, common }: FieldProps & { common: Common }) {
  const action = known.actionTypes.find(({ type }) => type === owner.action);
  const value = typeof owner.connection === 'string' ? owner.connection : null;
  if (action && action.connections.length === 0 && value === null) return null;
  const fitting = known.connectionRows.filter(({ kind }) => !action || action.connections.includes(kind));
  const data = fitting.map(({ name, kind, enabled }) => ({
    value: name,
    label: `${name} (${kind}${enabled ? '' : ', disabled'})`,
  }));
  if (value !== null && !data.some((each) => each.value === value)) data.push({ value, label: value });
  const kinds = action?.connections.join(' or ') ?? '';
  return (
    <Select
      {...common}
      description={
        kinds ? `Of the kind ${kinds}${action?.needsConnection ? '' : ', if it needs one'}` : common.description
      }
      required={action?.needsConnection ?? false}
      data={data}
      value={value}
      onChange={(next) => onChange(next ?? undefined)}
      clearable
      searchable={data.length > 8}
      placeholder={data.length === 0 ? 'there is none of this kind' : 'none'}
      inputWrapperOrder={['label', 'description', 'input', 'error']}
      rightSectionPointerEvents="auto"
      nothingFoundMessage={
        <>
          None.{' '}
          <Anchor component={Link} to="/automation/connections">
            Make one
          </Anchor>
        </>
      }
    />
  );
}

function Named({ field, owner, onChange, common, names }: FieldProps & { common: Common; names: readonly string[] }) {
  const value = typeof owner[field.name] === 'string' ? String(owner[field.name]) : '';
  const data = value !== '' && !names.includes(value) ? [...names, value] : [...names];
  return (
    <Select
      {...common}
      data={data}
      value={value === '' ? null : value}
      onChange={(next) => onChange(next ?? (field.required ? '' : undefined))}
      clearable={!field.required}
      searchable
      placeholder={common.placeholder ?? (data.length === 0 ? 'there is none' : 'choose')}
    />
  );
}

/** A value in YAML's notation, on one line or more; kept as it is typed until it can be read. */
function Literal({
  field,
  owner,
  onChange,
  common,
  expression = false,
}: FieldProps & { common: Common; expression?: boolean }) {
  const value = owner[field.name];
  const shown = value === undefined ? '' : typeof value === 'string' ? value : inline(value);
  const [typed, setTyped] = useState<string | null>(null);
  const [wrong, setWrong] = useState<string | null>(null);
  return (
    <Textarea
      {...common}
      classNames={{ input: classes.code }}
      autosize
      minRows={1}
      maxRows={12}
      spellCheck={false}
      value={typed ?? shown}
      error={wrong ?? common.error}
      onBlur={() => {
        if (wrong === null) setTyped(null);
      }}
      onChange={({ currentTarget }) => {
        const text = currentTarget.value;
        setTyped(text);
        if (expression && !/^\s*\[/.test(text)) {
          setWrong(null);
          onChange(orNothing(text, field));
          return;
        }
        try {
          const read: unknown = text.trim() === '' ? undefined : parse(text);
          setWrong(null);
          onChange(read);
        } catch {
          setWrong('This cannot be read yet: a list looks like [a, b], a map like {a: 1}');
        }
      }}
    />
  );
}

/** Kept as it is typed while it is: an empty line is the beginning of the next one. */
function Lines({
  field,
  owner,
  onChange,
  common,
  read,
}: FieldProps & { common: Common; read: (line: string) => unknown }) {
  const value = owner[field.name];
  const [typed, setTyped] = useState<string | null>(null);
  const [wrong, setWrong] = useState<string | null>(null);
  return (
    <Textarea
      {...common}
      description={[common.description, 'one on each line'].filter(Boolean).join('; ')}
      autosize
      minRows={2}
      maxRows={12}
      spellCheck={false}
      value={typed ?? (Array.isArray(value) ? value.map(String).join('\n') : '')}
      error={wrong ?? common.error}
      onBlur={() => {
        if (wrong === null) setTyped(null);
      }}
      onChange={({ currentTarget }) => {
        setTyped(currentTarget.value);
        const lines = currentTarget.value.split('\n').map((line) => line.trim());
        try {
          onChange(lines.filter(Boolean).map(read));
          setWrong(null);
        } catch {
          setWrong('A line cannot be read yet');
        }
      }}
    />
  );
}

/** By the inputs of the version that runs, if the workflow is found. */
function WorkflowInputs(props: FieldProps & { common: Common }) {
  const { owner, known, problems, readOnly, onChange, field } = props;
  const id = useId();
  const chosen = known.workflows.find(
    (each) => each.name === owner.workflow || (each as { workflowId?: string }).workflowId === owner.workflow,
  ) as { workflowId: string; publishedVersion: number | null } | undefined;
  const { data } = useQuery({
    queryKey: ['editor', 'inputsOf', chosen?.workflowId, chosen?.publishedVersion],
    enabled: chosen !== undefined && chosen.publishedVersion !== null,
    staleTime: 60_000,
    queryFn: async ({ signal }) => {
      const path = { workflowId: chosen?.workflowId ?? '', version: chosen?.publishedVersion ?? 0 };
      const found = await take(
        api.GET('/api/v1/workflows/{workflowId}/versions/{version}', { params: { path }, signal }),
      );
      return (found.document as { inputs?: JsonSchema | null }).inputs ?? null;
    },
  });
  if (!data?.properties) return <Literal {...props} />;
  return (
    <Form
      legend="Inputs"
      prefix={`inputs-${id}`}
      schema={data}
      value={owner.inputs}
      errors={problemsBelow(field.name, problems)}
      readOnly={readOnly}
      onChange={(next) => onChange(Object.keys(recordOf(next)).length === 0 ? undefined : next)}
    />
  );
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : typeof value === 'string' ? value : inline(value);
}

function orNothing(text: string, { required }: Field): string | undefined {
  return text === '' && !required ? undefined : text;
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
