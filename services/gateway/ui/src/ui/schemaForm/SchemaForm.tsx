/**
 * A form from a JSON Schema: the inputs of a workflow, the parameters of an action, the configuration of a connection. It is
 * controlled, and shows the problems that it is given; `problemsOf` finds them before the API does. Heavy: load it lazily.
 */
import { Alert } from '@mantine/core';
// not from the package's index: that also imports its tests' validator, which is not installed
import Form from '@rjsf/core/lib/components/Form.js';
import type { ErrorSchema, RegistryFieldsType, RegistryWidgetsType, RJSFSchema } from '@rjsf/utils';
import { useMemo } from 'react';
import { Anything, Choice, ManyLines, Pairs, Secret, Templated, YesOrNo } from './controls';
import { type FieldProblem, stepsOf } from './paths';
import { type FormOptions, type JsonSchema, prepared } from './schema';
import { templates } from './templates';
import { validator } from './validator';

export type FormValue = Record<string, unknown>;

const fields = { templated: Templated, pairs: Pairs, anything: Anything } as unknown as RegistryFieldsType;
const widgets = {
  TextareaWidget: ManyLines,
  PasswordWidget: Secret,
  CheckboxWidget: YesOrNo,
  SelectWidget: Choice,
  RadioWidget: Choice,
  CheckboxesWidget: (props) => <Choice {...props} multiple />,
} satisfies RegistryWidgetsType;

export function SchemaForm({
  schema,
  value,
  onChange,
  errors = [],
  disabled = false,
  idPrefix = 'field',
  templated = false,
  defaults = 'fill',
}: {
  schema: JsonSchema;
  value: FormValue;
  onChange: (value: FormValue) => void;
  /** By paths as the API writes them, seen from the value: `hosts[1].name` (`problemsBelow` makes them so). */
  errors?: readonly FieldProblem[];
  disabled?: boolean;
  /** Of the ids in the page; of each form another one. */
  idPrefix?: string;
} & FormOptions) {
  const form = useMemo(() => prepared(schema, value, { templated, defaults }), [schema, value, templated, defaults]);
  const extraErrors = useMemo(() => errorTree(errors), [errors]);
  const ofAll = errors.filter((each) => each.path === '');
  return (
    <>
      {ofAll.length > 0 && (
        <Alert color="red" variant="light" mb="sm" role="alert">
          {ofAll.map((each) => (
            <div key={each.message}>{each.message}</div>
          ))}
        </Alert>
      )}
      <Form
        tagName="div"
        schema={form.schema as RJSFSchema}
        uiSchema={{ ...form.uiSchema, 'ui:submitButtonOptions': { norender: true } }}
        formData={value}
        onChange={({ formData }) => onChange((formData ?? {}) as FormValue)}
        validator={validator}
        noValidate
        extraErrors={extraErrors}
        showErrorList={false}
        disabled={disabled}
        idPrefix={idPrefix}
        fields={fields}
        widgets={widgets}
        templates={templates}
        experimental_defaultFormStateBehavior={DEFAULTS}
      />
    </>
  );
}

/** A default is a value; an object or an item that nobody entered is none. */
const DEFAULTS = {
  emptyObjectFields: 'skipEmptyDefaults',
  arrayMinItems: { populate: 'never' },
  constAsDefaults: 'always',
} as const;

interface Tree {
  __errors?: string[];
  [step: string]: Tree | string[] | undefined;
}

function errorTree(errors: readonly FieldProblem[]): ErrorSchema {
  const root: Tree = {};
  for (const { path, message } of errors) {
    if (path === '') continue;
    let at = root;
    for (const step of stepsOf(path)) {
      const inner = (at[step] as Tree | undefined) ?? {};
      at[step] = inner;
      at = inner;
    }
    at.__errors = [...(at.__errors ?? []), message];
  }
  return root as ErrorSchema;
}
