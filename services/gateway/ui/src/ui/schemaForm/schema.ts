/**
 * What a form makes of a JSON Schema: which of its fields get which control. Schemas come from pydantic (actions, connections)
 * and from people (inputs of workflows), so: a value that may be null is one that may be left out, a title that only repeats
 * the name is replaced by its words, and what has no better control is edited as text.
 */
import type { UiSchema } from '@rjsf/utils';
import { sentence } from '@/ui/sentence';

export interface JsonSchema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  format?: string;
  writeOnly?: boolean;
  maxLength?: number;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema | boolean;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  definitions?: Record<string, JsonSchema>;
  [keyword: string]: unknown;
}

export interface FormOptions {
  /** Values may be templates (`{{ inputs.host }}`), whatever their type. */
  templated?: boolean;
  /** `fill` puts defaults into the value; `hint` only shows them, and leaves out what nobody entered. */
  defaults?: 'fill' | 'hint';
}

export interface Prepared {
  schema: JsonSchema;
  uiSchema: UiSchema;
}

/** Names whose values have several lines, in schemas that cannot say so. */
const TEXTS = new Set([
  'script',
  'sql',
  'body',
  'html',
  'text',
  'message',
  'privateKey',
  'certificate',
  'caCertificate',
  'knownHosts',
  'kubeconfig',
]);
const LONG = 500;

export function prepared(schema: JsonSchema, value: unknown, options: FormOptions): Prepared {
  return prepare(schema, value, options, null);
}

function prepare(given: JsonSchema, value: unknown, options: FormOptions, name: string | null): Prepared {
  const schema = withoutNull(given);
  const uiSchema: UiSchema = {};
  if (name !== null) {
    schema.title = titled(schema, name);
    if (options.defaults === 'hint' && schema.default !== undefined) {
      uiSchema['ui:placeholder'] = typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default);
    }
  }
  if (options.defaults === 'hint') delete schema.default;
  for (const keyword of ['$defs', 'definitions'] as const) {
    const named = schema[keyword];
    if (named) schema[keyword] = mapped(named, (each) => prepare(each, undefined, options, null).schema);
  }
  const control = controlOf(schema, value, options, name);
  if (control !== null) {
    // the form's library must not look into what one of our own controls edits as a whole
    if (control.field) {
      uiSchema['ui:field'] = control.field;
      uiSchema['ui:fieldReplacesAnyOrOneOf'] = true;
    }
    if (control.widget) uiSchema['ui:widget'] = control.widget;
    return { schema, uiSchema };
  }
  if (schema.properties) {
    // further properties are kept as they are; only an object that has nothing else gets a control for them
    delete schema.additionalProperties;
    const inner = Object.entries(schema.properties).map(
      ([key, each]) => [key, prepare(each, memberOf(value, key), options, key)] as const,
    );
    schema.properties = Object.fromEntries(inner.map(([key, each]) => [key, each.schema]));
    for (const [key, each] of inner) uiSchema[key] = each.uiSchema;
  }
  if (typeof schema.items === 'object') {
    const inner = prepare(schema.items, undefined, options, null);
    schema.items = inner.schema;
    // the list is labelled; its items are only named, for whoever cannot see where they stand
    uiSchema.items = { ...inner.uiSchema, 'ui:label': inner.schema.properties !== undefined };
  }
  for (const keyword of ['anyOf', 'oneOf', 'allOf'] as const) {
    const branches = schema[keyword];
    if (branches) schema[keyword] = branches.map((each) => prepare(each, value, options, null).schema);
  }
  return { schema, uiSchema };
}

interface Control {
  field?: 'templated' | 'pairs' | 'anything';
  widget?: 'textarea' | 'password';
}

function controlOf(schema: JsonSchema, value: unknown, options: FormOptions, name: string | null): Control | null {
  const scalar = schema.enum !== undefined || ['number', 'integer', 'boolean'].includes(String(schema.type));
  if (options.templated) {
    if (scalar) return { field: 'templated' };
    if (typeof value === 'string' && schema.type !== 'string') return { field: 'templated' };
  }
  if (
    schema.enum !== undefined ||
    schema.$ref ||
    schema.oneOf ||
    schema.anyOf ||
    schema.allOf ||
    schema.const !== undefined
  )
    return null;
  if (schema.type === 'string') {
    if (schema.writeOnly || schema.format === 'password')
      return { widget: name !== null && TEXTS.has(name) ? 'textarea' : 'password' };
    const many = typeof schema.default === 'string' && schema.default.includes('\n');
    // what has to fit a pattern is one line, however long: a URL
    const long = (schema.maxLength ?? 0) > LONG && schema.pattern === undefined;
    if (many || (name !== null && TEXTS.has(name)) || long) return { widget: 'textarea' };
    return null;
  }
  if (schema.type === 'object' && !schema.properties) {
    const others = schema.additionalProperties;
    return { field: typeof others === 'object' && others.type === 'string' ? 'pairs' : 'anything' };
  }
  if (schema.type === 'array') {
    const items = schema.items;
    const known = typeof items === 'object' && Object.keys(withoutNull(items)).some((each) => STRUCTURE.has(each));
    return known ? null : { field: 'anything' };
  }
  if (schema.properties) return null;
  if (typeof schema.type !== 'string') return { field: 'anything' };
  return null;
}

const STRUCTURE: ReadonlySet<string> = new Set([
  'type',
  'enum',
  'const',
  '$ref',
  'oneOf',
  'anyOf',
  'allOf',
  'properties',
]);

/** Null and left out are the same in a form. */
function withoutNull(schema: JsonSchema): JsonSchema {
  const { anyOf, ...rest } = schema;
  if (anyOf) {
    const branches = anyOf.filter((each) => each.type !== 'null');
    if (branches.length === anyOf.length) return { ...schema };
    if (rest.default === null) delete rest.default;
    return branches.length === 1 ? { ...branches[0], ...rest } : { ...rest, anyOf: branches };
  }
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((each) => each !== 'null');
    const { type: _, ...others } = schema;
    if (others.default === null) delete others.default;
    return types.length === 1 ? { ...others, type: types[0] } : { ...others };
  }
  return { ...schema };
}

/** Its title, unless that is the name only, as pydantic makes it (`Maxrows` of `maxRows`): then the words of the name. */
function titled(schema: JsonSchema, name: string): string {
  const title = schema.title;
  return title && bare(title) !== bare(name) ? title : wordsOf(name);
}

function bare(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/** Abbreviations, which names write like words. */
const SPELT: ReadonlySet<string> = new Set([
  'api',
  'ca',
  'html',
  'http',
  'id',
  'ip',
  'json',
  'sql',
  'ssh',
  'tls',
  'url',
]);

/** `diskLimitPercent` and `disk_limit_percent`: Disk limit percent; `verifyTls`: Verify TLS. */
export function wordsOf(name: string): string {
  const words = name
    .replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2')
    .replace(/[_-]+/g, ' ')
    .trim()
    .split(/\s+/)
    .map((word) => {
      if (/^\p{Lu}{2,}/u.test(word)) return word;
      const small = word.toLowerCase();
      return SPELT.has(small) ? small.toUpperCase() : small;
    })
    .join(' ');
  return sentence(words);
}

function mapped<T, U>(record: Record<string, T>, to: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, to(value)]));
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
