/**
 * What a run is given: a form from the `inputs` of the workflow, or the same as YAML. Used to start a workflow and to run an
 * execution again with other inputs. Loaded when it is first shown.
 */
import { Button, Group, SegmentedControl, Stack, Text, Textarea } from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import { type FormEvent, useEffect, useMemo, useRef, useState } from 'react';
import { parse, stringify } from 'yaml';
import { type Problem, problemOf } from '@/api/problem';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { type FieldProblem, problemsBelow } from '@/ui/schemaForm/paths';
import { type FormValue, SchemaForm } from '@/ui/schemaForm/SchemaForm';
import type { JsonSchema } from '@/ui/schemaForm/schema';
import { problemsOf } from '@/ui/schemaForm/validator';
import classes from './RunForm.module.css';

/** What somebody begins with: the first field, or the button if there is none. */
const FIRST = 'input:not([type=radio]):not([type=hidden]), textarea, select, [type=submit]';

export interface RunFormProps {
  /** The workflow's `inputs`; null if it has none. */
  inputs: JsonSchema | null;
  initial?: FormValue;
  /** Throws what the API says; resolves when it has begun. */
  onRun: (variables: FormValue) => Promise<void>;
  onCancel: () => void;
  action?: string;
}

export function RunForm({ inputs, initial = {}, onRun, onCancel, action = 'Run' }: RunFormProps) {
  const [value, setValue] = useState<FormValue>(initial);
  const [asText, setAsText] = useState(false);
  const [text, setText] = useState('');
  const [textProblem, setTextProblem] = useState<string | null>(null);
  const [problems, setProblems] = useState<readonly FieldProblem[]>([]);
  const [refusal, setRefusal] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const fields = useMemo(() => hasFields(inputs), [inputs]);
  // it comes when the dialog has put the focus somewhere already
  useEffect(() => {
    form.current?.querySelector<HTMLElement>(FIRST)?.focus();
  }, []);
  useEffect(() => {
    if (problems.length > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [problems]);

  const show = (mode: string) => {
    if (mode === 'text') {
      setText(Object.keys(value).length === 0 ? '' : stringify(value));
      setAsText(true);
    } else if (textProblem === null) {
      setAsText(false);
    }
  };
  const change = (next: FormValue) => {
    setValue(next);
    // what was said of a field holds until something is changed
    if (problems.length > 0) setProblems([]);
  };
  const write = (next: string) => {
    setText(next);
    const read = valueOfText(next);
    setTextProblem(read.problem);
    if (read.problem === null) change(read.value);
  };
  const run = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || textProblem !== null) return;
    setRefusal(null);
    const wrong = inputs === null ? [] : problemsOf(inputs, withoutEmpty(value));
    if (wrong.length > 0) {
      setProblems(wrong);
      return;
    }
    setBusy(true);
    try {
      await onRun(withoutEmpty(value) as FormValue);
    } catch (error) {
      const problem = problemOf(error);
      const ours = problemsBelow('variables', problem.errors);
      setProblems(ours);
      if (ours.length === 0 || ours.length < problem.errors.length) setRefusal(problem);
      setBusy(false);
    }
  };
  return (
    <form ref={form} onSubmit={run} noValidate>
      <Stack gap="md">
        {(fields || asText) && (
          <Group justify="space-between">
            <Text size="sm" c="dimmed">
              {asText ? 'YAML or JSON, as the API takes it' : 'Inputs'}
            </Text>
            <SegmentedControl
              size="xs"
              aria-label="How to enter the inputs"
              data={[
                { value: 'form', label: 'Form' },
                { value: 'text', label: 'YAML' },
              ]}
              value={asText ? 'text' : 'form'}
              onChange={show}
            />
          </Group>
        )}
        {asText ? (
          <Textarea
            aria-label="Inputs as YAML"
            classNames={{ input: classes.text }}
            value={text}
            onChange={({ currentTarget }) => write(currentTarget.value)}
            error={textProblem ?? saidProblems(problems)}
            autosize
            minRows={8}
            maxRows={24}
            spellCheck={false}
            data-autofocus
          />
        ) : fields && inputs !== null ? (
          <SchemaForm
            schema={inputs}
            value={value}
            onChange={change}
            errors={problems}
            disabled={busy}
            idPrefix="input"
          />
        ) : (
          <Group justify="space-between" align="flex-start" wrap="nowrap">
            <Text size="sm">This workflow names no inputs.</Text>
            <Button variant="subtle" size="compact-xs" onClick={() => show('text')}>
              Give some as YAML
            </Button>
          </Group>
        )}
        {refusal && <ProblemAlert error={refusal} />}
        <Group justify="flex-end">
          <Text size="sm" c="var(--ry-red)" role="status" className={classes.count}>
            {problems.length > 0 &&
              (problems.length === 1 ? 'One input is not right' : `${problems.length} inputs are not right`)}
          </Text>
          <Button variant="default" onClick={onCancel}>
            Leave it
          </Button>
          <Button type="submit" loading={busy} leftSection={<IconPlayerPlay size={16} aria-hidden />}>
            {action}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function hasFields(inputs: JsonSchema | null): boolean {
  return inputs !== null && Object.keys(inputs.properties ?? {}).length > 0;
}

function saidProblems(problems: readonly FieldProblem[]): string | undefined {
  return problems.length > 0 ? problems.map((each) => `${each.path} ${each.message}`.trim()).join('; ') : undefined;
}

/** As it will be sent: a field that was emptied is one that was not given. */
function withoutEmpty(value: FormValue): unknown {
  return JSON.parse(JSON.stringify(value));
}

function valueOfText(text: string): { value: FormValue; problem: string | null } {
  try {
    const value: unknown = text.trim() === '' ? {} : parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { value: {}, problem: 'names with values are expected, such as host: web-01' };
    return { value: value as FormValue, problem: null };
  } catch (error) {
    return { value: {}, problem: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error) };
  }
}
