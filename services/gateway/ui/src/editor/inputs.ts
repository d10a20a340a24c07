/** What a run asks for, as the form edits it: the members of a JSON Schema, each of a kind that people have a word for. */
import type { Field } from './form/fields';
import { parsed, type Step, valueAt } from './text/parsed';
import { withKey, withValue } from './text/splice';
import { withSwapped } from './text/swap';

export type InputKind = 'text' | 'choice' | 'integer' | 'number' | 'boolean' | 'texts' | 'other';
export type Scalar = string | number | boolean;

export interface InputSchema {
  [keyword: string]: unknown;
}

export const KIND_WORDS: Readonly<Record<InputKind, string>> = {
  text: 'Text',
  choice: 'Choice',
  integer: 'Whole number',
  number: 'Number',
  boolean: 'Yes or no',
  texts: 'List of texts',
  other: 'Other: a JSON Schema',
};

const AT: readonly Step[] = ['inputs', 'properties'];

export function kindOf(schema: unknown): InputKind {
  const { type, enum: options, items } = recordOf(schema);
  if (['$ref', 'oneOf', 'anyOf', 'allOf', 'const'].some((keyword) => recordOf(schema)[keyword] !== undefined))
    return 'other';
  if (Array.isArray(options)) return options.every(isScalar) ? 'choice' : 'other';
  if (type === 'string') return 'text';
  if (type === 'integer' || type === 'number' || type === 'boolean') return type;
  const { type: each, ...others } = recordOf(items);
  if (type === 'array' && each === 'string' && Object.keys(others).length === 0) return 'texts';
  return 'other';
}

const MADE: Readonly<Record<InputKind, InputSchema>> = {
  text: { type: 'string' },
  choice: { type: 'string', enum: ['one', 'two'] },
  integer: { type: 'integer' },
  number: { type: 'number' },
  boolean: { type: 'boolean' },
  texts: { type: 'array', items: { type: 'string' } },
  other: { type: 'object' },
};

/** Of another kind: what it is called stays, and a default that fits. */
export function retyped(schema: unknown, kind: InputKind): InputSchema {
  const { title, description, default: value } = recordOf(schema);
  const kept = { title, description, default: fits(value, kind) ? value : undefined };
  return { ...MADE[kind], ...Object.fromEntries(Object.entries(kept).filter(([, each]) => each !== undefined)) };
}

function fits(value: unknown, kind: InputKind): boolean {
  if (kind === 'text') return typeof value === 'string';
  if (kind === 'integer') return Number.isInteger(value);
  if (kind === 'number' || kind === 'boolean') return typeof value === kind;
  if (kind === 'texts') return Array.isArray(value) && value.every((each) => typeof each === 'string');
  return false;
}

const NAMED: readonly Field[] = [
  { name: 'title', label: 'Label', control: { kind: 'text' }, placeholder: 'the name, in words' },
  { name: 'description', label: 'Description', control: { kind: 'text' } },
];
const number = (name: string, label: string, whole: boolean, more = false): Field => ({
  name,
  label,
  control: { kind: 'number', whole },
  more,
});

/** The fields of one input, by what it is. */
export function fieldsOf(schema: InputSchema): readonly Field[] {
  const options = Array.isArray(schema.enum) ? schema.enum.filter(isScalar) : [];
  const value = (control: Field['control']): Field => ({
    name: 'default',
    label: 'Default',
    control,
    placeholder: 'none',
  });
  switch (kindOf(schema)) {
    case 'text':
      return [
        value({ kind: 'text' }),
        ...NAMED,
        { name: 'pattern', label: 'Pattern', control: { kind: 'text', code: true }, more: true },
        number('minLength', 'Least characters', true, true),
        number('maxLength', 'Most characters', true, true),
      ];
    case 'choice':
      return [
        { name: 'enum', label: 'Choices', control: { kind: 'options' }, required: true },
        value({ kind: 'pick', options }),
        ...NAMED,
      ];
    case 'integer':
    case 'number': {
      const whole = schema.type === 'integer';
      return [
        value({ kind: 'number', whole }),
        number('minimum', 'Least', whole),
        number('maximum', 'Most', whole),
        ...NAMED,
      ];
    }
    case 'boolean':
      return [value({ kind: 'pick', options: [true, false] }), ...NAMED];
    case 'texts':
      return [
        value({ kind: 'texts' }),
        ...NAMED,
        number('minItems', 'At least so many', true, true),
        number('maxItems', 'At most so many', true, true),
      ];
    case 'other':
      return [];
  }
}

/** Whether the form can show it: members by name, or nothing yet. */
export function isListed(inputs: unknown): boolean {
  if (inputs === undefined || inputs === null) return true;
  const { type, properties } = recordOf(inputs);
  if (typeof inputs !== 'object' || Array.isArray(inputs) || (type !== undefined && type !== 'object')) return false;
  return properties === undefined || (typeof properties === 'object' && !Array.isArray(properties));
}

export function inputsOf(document: unknown): [string, InputSchema][] {
  return Object.entries(recordOf(valueAt(document, AT))).map(([name, schema]) => [name, recordOf(schema)]);
}

export function isRequired(document: unknown, name: string): boolean {
  return requiredOf(document).includes(name);
}

export function freeName(document: unknown): string {
  const names = new Set(inputsOf(document).map(([name]) => name));
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? 'value' : `value${count}`;
    if (!names.has(name)) return name;
  }
}

export function addInput(text: string, name: string): string {
  const { value } = parsed(text);
  if (valueAt(value, ['inputs']) == null) {
    const made = { type: 'object', additionalProperties: false, properties: { [name]: MADE.text } };
    return withValue(text, ['inputs'], made, valueAt(value, ['description']) === undefined ? 'name' : 'description');
  }
  return withValue(text, [...AT, name], MADE.text);
}

export function removeInput(text: string, name: string): string {
  const without = setRequired(text, name, false);
  if (inputsOf(parsed(without).value).length > 1) return withValue(without, [...AT, name], undefined);
  return withValue(without, ['inputs'], undefined);
}

/** People are asked in the order in which they stand. */
export function swapInputs(text: string, one: number, other: number): string {
  return withSwapped(text, AT, one, other);
}

/** Its name, and where it is required. What expressions say of it is left: see `mentions`. */
export function renameInput(text: string, old: string, name: string): string {
  const { value } = parsed(text);
  const at = requiredOf(value).indexOf(old);
  const now = at < 0 ? text : withValue(text, ['inputs', 'required', at], name);
  return withKey(now, [...AT, old], name);
}

export function setRequired(text: string, name: string, required: boolean): string {
  const others = requiredOf(parsed(text).value).filter((each) => each !== name);
  const now = required ? [...others, name] : others;
  return withValue(text, ['inputs', 'required'], now.length === 0 ? undefined : now);
}

export function setInput(text: string, name: string, keyword: string, value: unknown): string {
  return withValue(text, [...AT, name, keyword], value);
}

export function setSchema(text: string, name: string, schema: InputSchema): string {
  return withValue(text, [...AT, name], schema);
}

function requiredOf(document: unknown): string[] {
  const required = valueAt(document, ['inputs', 'required']);
  return Array.isArray(required) ? required.filter((each) => typeof each === 'string') : [];
}

function isScalar(value: unknown): value is Scalar {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

function recordOf(value: unknown): InputSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as InputSchema) : {};
}
