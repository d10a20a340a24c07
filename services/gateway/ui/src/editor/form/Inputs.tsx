/** What a run asks for: each input with its type, default and limits, and the form that people will see. */
import { Button, Checkbox, Select, TextInput } from '@mantine/core';
import { IconEye, IconPlus } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { problemsBelow } from '@/ui/schemaForm/paths';
import { type FormValue, SchemaForm } from '@/ui/schemaForm/SchemaForm';
import type { JsonSchema } from '@/ui/schemaForm/schema';
import { mentions } from '../edits';
import {
  addInput,
  fieldsOf,
  freeName,
  type InputKind,
  type InputSchema,
  inputsOf,
  isListed,
  isRequired,
  KIND_WORDS,
  kindOf,
  removeInput,
  renameInput,
  retyped,
  setInput,
  setRequired,
  setSchema,
  swapInputs,
} from '../inputs';
import { valueAt } from '../text/parsed';
import { inline } from '../text/render';
import { withValue } from '../text/splice';
import { Entry } from './Entry';
import { FieldInput } from './FieldInput';
import { Fields } from './Fields';
import classes from './Form.module.css';
import { useOrder } from './Order';
import type { FormProps } from './props';

export function Inputs(props: FormProps) {
  const { parsed, problems, known, readOnly, edit } = props;
  const [opened, setOpened] = useState<string | null>(null);
  const [added, setAdded] = useState<string | null>(null);
  const [tried, setTried] = useState(false);
  const inputs = valueAt(parsed.value, ['inputs']);
  const below = problemsBelow('inputs', problems);
  const list = inputsOf(parsed.value);
  const order = useOrder(
    list.map(([name]) => name),
    !readOnly,
    (one, other) => edit((text) => swapInputs(text, one, other)),
  );
  const own = below.filter(({ path }) => !path.startsWith('properties.'));
  if (!isListed(inputs))
    return (
      <section aria-label="Inputs">
        <FieldInput
          field={{ name: 'inputs', label: 'Inputs', control: { kind: 'yaml' } }}
          owner={{ inputs }}
          problems={problems}
          known={known}
          readOnly={readOnly}
          onChange={(next) => edit((text) => withValue(text, ['inputs'], next), true)}
        />
      </section>
    );
  return (
    <section aria-label="Inputs">
      <div className={classes.sectionHead}>
        <p className={classes.does}>
          Asked of whoever runs it; <code>inputs.name</code> in expressions.
        </p>
        {list.length > 0 && (
          <Button
            size="compact-xs"
            variant="subtle"
            aria-expanded={tried}
            leftSection={<IconEye size={13} aria-hidden />}
            onClick={() => setTried(!tried)}
          >
            As people see it
          </Button>
        )}
        {!readOnly && (
          <Button
            size="compact-xs"
            variant="default"
            leftSection={<IconPlus size={12} aria-hidden />}
            onClick={() => {
              const name = freeName(parsed.value);
              edit((text) => addInput(text, name));
              setOpened(name);
              setAdded(name);
            }}
          >
            Add an input
          </Button>
        )}
      </div>
      {own.map(({ path, message }) => (
        <p key={`${path} ${message}`} className={classes.wrong}>
          {path} {message}
        </p>
      ))}
      {list.length === 0 ? (
        <p className={classes.none}>It asks for nothing.</p>
      ) : (
        <ul className={classes.entries} ref={order.list}>
          {list.map(([name, schema], at) => (
            <Entry
              // its place: a name that is being changed is not another input
              // biome-ignore lint/suspicious/noArrayIndexKey: see above
              key={at}
              title={<span className="mono">{name}</span>}
              summary={summaryOf(schema, isRequired(parsed.value, name))}
              wrong={problemsBelow(`properties.${name}`, below).length > 0}
              opened={opened === name}
              onToggle={() => setOpened(opened === name ? null : name)}
              removal={readOnly ? null : `Remove the input ${name}`}
              onRemove={() => edit((text) => removeInput(text, name))}
              moves={order.moves(at)}
              isNew={added === name}
            >
              <One {...props} name={name} schema={schema} onRenamed={setOpened} />
            </Entry>
          ))}
        </ul>
      )}
      {order.told}
      {tried && list.length > 0 && <Tried schema={inputs as JsonSchema} />}
      {list.length > 0 && (
        <Checkbox
          mt="sm"
          size="xs"
          label="Anything else is refused"
          disabled={readOnly}
          checked={valueAt(inputs, ['additionalProperties']) === false}
          onChange={({ currentTarget: { checked } }) =>
            edit((text) => withValue(text, ['inputs', 'additionalProperties'], checked ? false : undefined, 'type'))
          }
        />
      )}
    </section>
  );
}

function summaryOf(schema: InputSchema, required: boolean): string {
  const words = [KIND_WORDS[kindOf(schema)]];
  if (schema.default !== undefined) words.push(`normally ${inline(schema.default)}`);
  else words.push(required ? 'required' : 'optional');
  if (typeof schema.description === 'string') words.push(schema.description);
  return words.join(' · ');
}

function One({
  name,
  schema,
  parsed,
  problems,
  known,
  readOnly,
  edit,
  onRenamed,
}: FormProps & { name: string; schema: InputSchema; onRenamed: (name: string) => void }) {
  const kind = kindOf(schema);
  const below = problemsBelow(`inputs.properties.${name}`, problems);
  const hasDefault = schema.default !== undefined;
  return (
    <>
      <div className={classes.fields}>
        <NameField {...{ name, parsed, readOnly, edit, onRenamed }} />
        <Select
          size="xs"
          label="Type"
          data={Object.entries(KIND_WORDS).map(([value, label]) => ({ value, label }))}
          value={kind}
          disabled={readOnly}
          allowDeselect={false}
          onChange={(next) =>
            next && next !== kind && edit((text) => setSchema(text, name, retyped(schema, next as InputKind)))
          }
        />
      </div>
      <Checkbox
        size="xs"
        mt="sm"
        label="Required"
        description={hasDefault ? 'Its default is taken where nothing is given, so nobody has to' : undefined}
        disabled={readOnly}
        checked={isRequired(parsed.value, name)}
        onChange={({ currentTarget: { checked } }) => edit((text) => setRequired(text, name, checked))}
      />
      {kind === 'other' ? (
        <FieldInput
          field={{ name: 'schema', label: 'JSON Schema, as YAML', control: { kind: 'yaml' } }}
          owner={{ schema }}
          problems={below}
          known={known}
          readOnly={readOnly}
          onChange={(next) =>
            typeof next === 'object' &&
            next !== null &&
            edit((text) => setSchema(text, name, next as InputSchema), true)
          }
        />
      ) : (
        <Fields
          key={kind}
          fields={fieldsOf(schema)}
          owner={schema}
          problems={below}
          known={known}
          readOnly={readOnly}
          onChange={(keyword, next) => edit((text) => setInput(text, name, keyword, next), true)}
        />
      )}
    </>
  );
}

/** Taken over when it is left or Enter is pressed, as an id is. */
function NameField({
  name,
  parsed,
  readOnly,
  edit,
  onRenamed,
}: Pick<FormProps, 'parsed' | 'readOnly' | 'edit'> & { name: string; onRenamed: (name: string) => void }) {
  const [typed, setTyped] = useState(name);
  useEffect(() => setTyped(name), [name]);
  const taken = typed !== name && inputsOf(parsed.value).some(([other]) => other === typed);
  const wrong = taken
    ? 'Another input has this name'
    : /^[A-Za-z_]\w{0,63}$/.test(typed)
      ? null
      : 'Letters, digits and _, not beginning with a digit';
  const named = typed === name ? 0 : mentions(parsed.text, `inputs.${name}`);
  const rename = () => {
    if (wrong !== null || typed === name) return setTyped(name);
    edit((text) => renameInput(text, name, typed));
    onRenamed(typed);
  };
  return (
    <TextInput
      size="xs"
      label="Name"
      required
      value={typed}
      disabled={readOnly}
      spellCheck={false}
      autoComplete="off"
      classNames={{ input: classes.code }}
      error={typed === name ? null : wrong}
      description={
        named > 0
          ? `${named === 1 ? 'One line names' : `${named} lines name`} inputs.${name} in an expression and must be changed by hand`
          : undefined
      }
      onChange={({ currentTarget }) => setTyped(currentTarget.value)}
      onBlur={rename}
      onKeyDown={(event) => {
        if (event.key === 'Enter') rename();
        if (event.key === 'Escape') setTyped(name);
      }}
    />
  );
}

/** The form of a run, to be tried: what is entered goes nowhere. */
function Tried({ schema }: { schema: JsonSchema }) {
  const [value, setValue] = useState<FormValue>({});
  return (
    <div className={classes.tried}>
      <SchemaForm schema={schema} value={value} onChange={setValue} idPrefix="tried" />
    </div>
  );
}
