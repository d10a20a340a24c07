/** Secrets: written and never read. Each says whether the server has one, and what will become of it. */
import { Button, Fieldset, Group, Input, PasswordInput, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import type { FieldProblem } from '@/ui/schemaForm/paths';
import { type JsonSchema, wordsOf } from '@/ui/schemaForm/schema';
import classes from './ConnectionForm.module.css';
import { type Draft, type SecretField, secretFields } from './draft';

/** Those whose text has several lines. */
const LONG: ReadonlySet<string> = new Set(['privateKey', 'certificate', 'kubeconfig']);

interface Props {
  schema: JsonSchema;
  kept: readonly string[];
  changes: Draft['secrets'];
  onChange: (name: string, change: string | null | undefined) => void;
  errors: readonly FieldProblem[];
  disabled: boolean;
}

export function SecretFields({ schema, kept, changes, onChange, errors, disabled }: Props) {
  const { fields, anyName } = secretFields(schema, kept, changes);
  const ofAll = errors.filter((each) => each.path === '');
  if (fields.length === 0 && !anyName) return null;
  return (
    <Fieldset legend="Secrets" className={classes.group}>
      <Text size="xs" c="dimmed" mb="xs">
        Stored encrypted, sealed to the agent that uses them, and never shown again.
      </Text>
      <Stack gap="sm">
        {fields.map((each) => (
          <Secret
            key={each.name}
            field={each}
            label={anyName ? each.name : wordsOf(each.name)}
            value={changes[each.name] ?? ''}
            error={errors.find(({ path }) => path === each.name)?.message}
            disabled={disabled}
            onChange={(change) => onChange(each.name, change)}
          />
        ))}
        {anyName && !disabled && (
          <Another taken={fields.map((each) => each.name)} onAdd={(name) => onChange(name, '')} />
        )}
        {ofAll.length > 0 && <Input.Error role="alert">{ofAll.map((each) => each.message).join('; ')}</Input.Error>}
      </Stack>
    </Fieldset>
  );
}

function Secret({
  field,
  label,
  value,
  error,
  disabled,
  onChange,
}: {
  field: SecretField;
  label: string;
  value: string;
  error: string | undefined;
  disabled: boolean;
  onChange: (change: string | null | undefined) => void;
}) {
  const removed = field.change === 'removed';
  const shared = {
    label,
    required: field.required && !field.kept,
    value,
    disabled: disabled || removed,
    error,
    placeholder: removed ? 'Will be removed' : field.kept ? 'Kept; enter another one to replace it' : undefined,
    autoComplete: 'new-password',
    spellCheck: false,
    className: classes.secret,
    onChange: ({ currentTarget }: { currentTarget: { value: string } }) =>
      onChange(currentTarget.value === '' && field.kept ? undefined : currentTarget.value),
  };
  return (
    <Group align="flex-end" gap="xs" wrap="nowrap">
      {LONG.has(field.name) ? (
        <Textarea {...shared} classNames={{ input: classes.code }} autosize minRows={3} maxRows={12} />
      ) : (
        <PasswordInput {...shared} />
      )}
      {!disabled && field.kept && !field.required && (
        <Button variant="default" onClick={() => onChange(removed ? undefined : null)}>
          {removed ? 'Keep' : 'Remove'}
          <span className="visually-hidden"> {label}</span>
        </Button>
      )}
      {!disabled && !field.kept && field.change === 'replaced' && !field.required && (
        <Button variant="default" onClick={() => onChange(undefined)}>
          Leave out<span className="visually-hidden"> {label}</span>
        </Button>
      )}
    </Group>
  );
}

function Another({ taken, onAdd }: { taken: readonly string[]; onAdd: (name: string) => void }) {
  const [name, setName] = useState('');
  const add = () => {
    const given = name.trim();
    if (given === '' || taken.includes(given)) return;
    onAdd(given);
    setName('');
  };
  return (
    <Group align="flex-end" gap="xs" wrap="nowrap">
      <TextInput
        className={classes.secret}
        label="Another secret"
        placeholder="NAME"
        value={name}
        error={taken.includes(name.trim()) ? 'There is one of this name' : undefined}
        onChange={(event) => setName(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          event.preventDefault();
          add();
        }}
        autoComplete="off"
        spellCheck={false}
      />
      <Button variant="default" leftSection={<IconPlus size={14} aria-hidden />} onClick={add}>
        Add
      </Button>
    </Group>
  );
}
