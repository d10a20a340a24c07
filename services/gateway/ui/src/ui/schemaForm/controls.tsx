/** The controls of a form: each value by the Mantine input that fits it, with its label, description and problems. */
import {
  ActionIcon,
  Autocomplete,
  Button,
  Checkbox,
  Group,
  Input,
  MultiSelect,
  NumberInput,
  PasswordInput,
  Select,
  Stack,
  Textarea,
  TextInput,
} from '@mantine/core';
import type { BaseInputTemplateProps, FieldProps, WidgetProps } from '@rjsf/utils';
import { getInputProps } from '@rjsf/utils';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { parse, stringify } from 'yaml';
import classes from './SchemaForm.module.css';

export function saidErrors(errors: readonly string[] | undefined): string | undefined {
  return errors && errors.length > 0 ? errors.join('; ') : undefined;
}

function common(props: WidgetProps) {
  return {
    id: props.id,
    label: props.hideLabel ? undefined : props.label,
    'aria-label': props.hideLabel ? props.label : undefined,
    description: props.hideLabel ? undefined : (props.options.description ?? props.schema.description),
    required: props.required,
    disabled: props.disabled || props.readonly,
    error: props.hideError ? undefined : saidErrors(props.rawErrors),
  };
}

/** A text or a number on one line. */
export function OneLine(props: BaseInputTemplateProps) {
  const { schema, type, options, value, onChange, placeholder } = props;
  const input = getInputProps(schema, type, options, false);
  if (input.type === 'number') {
    return (
      <NumberInput
        {...common(props)}
        value={value ?? ''}
        onChange={(next) => onChange(next === '' ? undefined : next)}
        allowDecimal={schema.type !== 'integer'}
        clampBehavior="none"
        min={schema.minimum}
        max={schema.maximum}
        placeholder={placeholder}
      />
    );
  }
  return (
    <TextInput
      {...common(props)}
      type={input.type}
      value={value ?? ''}
      onChange={
        props.onChangeOverride ??
        (({ currentTarget }) => onChange(currentTarget.value === '' ? options.emptyValue : currentTarget.value))
      }
      placeholder={placeholder}
      autoComplete="off"
      spellCheck={false}
    />
  );
}

export function ManyLines(props: WidgetProps) {
  return (
    <Textarea
      {...common(props)}
      classNames={{ input: classes.code }}
      value={props.value ?? ''}
      onChange={({ currentTarget }) => props.onChange(currentTarget.value === '' ? undefined : currentTarget.value)}
      placeholder={props.placeholder}
      autosize
      minRows={3}
      maxRows={20}
      spellCheck={false}
    />
  );
}

export function Secret(props: WidgetProps) {
  return (
    <PasswordInput
      {...common(props)}
      value={props.value ?? ''}
      onChange={({ currentTarget }) => props.onChange(currentTarget.value === '' ? undefined : currentTarget.value)}
      placeholder={props.placeholder}
      autoComplete="new-password"
    />
  );
}

export function YesOrNo(props: WidgetProps) {
  return (
    <Checkbox
      {...common(props)}
      required={false} // required means present here; unticked is an answer
      checked={props.value === true}
      onChange={({ currentTarget }) => props.onChange(currentTarget.checked)}
    />
  );
}

/** Options have any JSON value; Mantine's have texts. */
export function Choice(props: WidgetProps) {
  const options = props.options.enumOptions ?? [];
  const data = options.map((each, index) => ({ value: String(index), label: String(each.label) }));
  const indexOf = (value: unknown) =>
    String(options.findIndex((each) => JSON.stringify(each.value) === JSON.stringify(value)));
  const shared = { ...common(props), data, searchable: data.length > 8, placeholder: props.placeholder };
  if (props.multiple) {
    const values: unknown[] = Array.isArray(props.value) ? props.value : [];
    return (
      <MultiSelect
        {...shared}
        value={values.map(indexOf)}
        onChange={(chosen) => props.onChange(chosen.map((each) => options[Number(each)]?.value))}
      />
    );
  }
  const at = indexOf(props.value);
  return (
    <Select
      {...shared}
      value={at === '-1' ? null : at}
      onChange={(chosen) => props.onChange(chosen === null ? undefined : options[Number(chosen)]?.value)}
      clearable={!props.required}
    />
  );
}

function fieldCommon(props: FieldProps) {
  const label = props.schema.title ?? props.name ?? '';
  return {
    id: props.fieldPathId.$id,
    label,
    description: props.schema.description,
    required: props.required,
    disabled: props.disabled || props.readonly,
    error: saidErrors(props.rawErrors),
  };
}

/** A value that may be a template too: what reads as a value of the type is one, everything else is a text. */
export function Templated(props: FieldProps) {
  const { schema, formData, fieldPathId, onChange } = props;
  const offered: string[] = schema.enum ? schema.enum.map(textOf) : schema.type === 'boolean' ? ['true', 'false'] : [];
  return (
    <Autocomplete
      {...fieldCommon(props)}
      classNames={{ input: classes.code }}
      data={offered}
      filter={({ options }) => options}
      value={textOf(formData)}
      onChange={(text) => onChange(text === '' ? undefined : meant(text, schema), fieldPathId.path)}
      placeholder={props.uiSchema?.['ui:placeholder']}
      spellCheck={false}
    />
  );
}

function textOf(value: unknown): string {
  return value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
}

function meant(text: string, schema: FieldProps['schema']): unknown {
  const chosen = schema.enum?.find((each) => textOf(each) === text);
  if (chosen !== undefined) return chosen;
  if (schema.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  const number = schema.type === 'number' || schema.type === 'integer';
  return number && /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
}

/** Names with texts, such as headers. Rows without a name are not part of the value yet. */
export function Pairs(props: FieldProps) {
  const { formData, fieldPathId, onChange } = props;
  const { id, label, error, ...wrapper } = fieldCommon(props);
  const [rows, setRows] = useState<readonly Pair[]>(() => pairsOf(formData));
  const set = (next: readonly Pair[]) => {
    setRows(next);
    const named = next.filter(({ name }) => name !== '');
    onChange(
      named.length === 0 ? undefined : Object.fromEntries(named.map(({ name, text }) => [name, text])),
      fieldPathId.path,
    );
  };
  const change = (key: number, part: Partial<Pair>) =>
    set(rows.map((each) => (each.key === key ? { ...each, ...part } : each)));
  const twice = rows.find(({ key, name }) => name !== '' && rows.some((each) => each.key < key && each.name === name));
  const nested = Object.entries(props.errorSchema ?? {}).map(
    ([name, inner]) => `${name} ${saidErrors((inner as { __errors?: string[] } | undefined)?.__errors) ?? ''}`,
  );
  return (
    <Input.Wrapper
      {...wrapper}
      label={label}
      labelElement="div"
      error={twice ? `${twice.name} is there twice` : (error ?? saidErrors(nested))}
      role="group"
      aria-label={label}
    >
      <Stack gap={6} mt={4}>
        {rows.map(({ key, name, text }) => (
          <Group key={key} gap={6} wrap="nowrap">
            <TextInput
              className={classes.pairName}
              aria-label={`${label}: name`}
              placeholder="name"
              value={name}
              disabled={wrapper.disabled}
              onChange={({ currentTarget }) => change(key, { name: currentTarget.value })}
              spellCheck={false}
            />
            <TextInput
              className={classes.pairText}
              aria-label={`${label}: value of ${name || 'the new name'}`}
              placeholder="value"
              value={text}
              disabled={wrapper.disabled}
              onChange={({ currentTarget }) => change(key, { text: currentTarget.value })}
              spellCheck={false}
            />
            <ActionIcon
              variant="subtle"
              color="gray"
              disabled={wrapper.disabled}
              aria-label={`Remove ${name || 'the row'}`}
              onClick={() => set(rows.filter((each) => each.key !== key))}
            >
              <IconX size={16} />
            </ActionIcon>
          </Group>
        ))}
        <Button
          id={id}
          className={classes.add}
          variant="subtle"
          size="compact-sm"
          leftSection={<IconPlus size={14} aria-hidden />}
          disabled={wrapper.disabled}
          aria-label={`Add to ${label}`}
          onClick={() => set([...rows, { key: Math.max(0, ...rows.map((each) => each.key)) + 1, name: '', text: '' }])}
        >
          Add
        </Button>
      </Stack>
    </Input.Wrapper>
  );
}

interface Pair {
  key: number;
  name: string;
  text: string;
}

function pairsOf(value: unknown): Pair[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).map(([name, text], key) => ({ key, name, text: textOf(text) }));
}

/** Whatever has no form of its own, as YAML (of which JSON is a part). */
export function Anything(props: FieldProps) {
  const { formData, fieldPathId, onChange } = props;
  const [text, setText] = useState(() => (formData === undefined ? '' : stringify(formData).trimEnd()));
  const [wrong, setWrong] = useState<string | null>(null);
  const { error, ...shared } = fieldCommon(props);
  return (
    <Textarea
      {...shared}
      error={wrong ?? error}
      classNames={{ input: classes.code }}
      value={text}
      onChange={({ currentTarget }) => {
        setText(currentTarget.value);
        try {
          const value: unknown = currentTarget.value.trim() === '' ? undefined : parse(currentTarget.value);
          setWrong(null);
          onChange(value, fieldPathId.path);
        } catch (problem) {
          setWrong(problem instanceof Error ? (problem.message.split('\n')[0] ?? '') : String(problem));
        }
      }}
      placeholder={props.uiSchema?.['ui:placeholder'] ?? 'YAML or JSON'}
      autosize
      minRows={2}
      maxRows={16}
      spellCheck={false}
    />
  );
}
