/**
 * JSON Schema without `eval`, which our Content-Security-Policy forbids: @cfworker/json-schema interprets where others compile.
 */
import { type OutputUnit, type Schema, Validator } from '@cfworker/json-schema';
import { type RJSFSchema, toErrorSchema, type ValidationData, type ValidatorType } from '@rjsf/utils';
import { type FieldProblem, pathOf, type Step } from './paths';
import type { JsonSchema } from './schema';

/** All that is wrong with the value, each problem at the place where it can be put right. */
export function problemsOf(schema: JsonSchema, value: unknown): FieldProblem[] {
  const given = sent(value) ?? null;
  const { errors } = new Validator(schema as Schema, '2020-12', false).validate(given);
  const choices = errors.filter((each) => each.keyword === 'anyOf' || each.keyword === 'oneOf');
  const found = errors.filter(
    (each) =>
      !AROUND.has(each.keyword) &&
      !choices.some((choice) => each.keywordLocation.startsWith(`${choice.keywordLocation}/`)),
  );
  const problems = found.map((each) => problemOf(each, schema, given));
  const seen = new Set<string>();
  return problems.filter(({ path, message }) => {
    const said = `${path}\n${message}`;
    return !seen.has(said) && seen.add(said);
  });
}

/** As it would arrive: without members that are undefined. */
export function sent(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** Say only that something below is wrong. */
const AROUND: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  'additionalProperties',
  'items',
  'prefixItems',
  'allOf',
  '$ref',
  'if',
  'then',
  'else',
  'dependentSchemas',
]);

function problemOf(error: OutputUnit, schema: JsonSchema, value: unknown): FieldProblem {
  const steps = stepsTo(error.instanceLocation, value);
  if (error.keyword === 'required') {
    const missing = /"(.*)"/.exec(error.error)?.[1] ?? '';
    return { path: pathOf([...steps, missing]), message: 'is needed' };
  }
  return { path: pathOf(steps), message: messageOf(error, limitOf(error, schema)) };
}

function messageOf(error: OutputUnit, limit: unknown): string {
  switch (error.keyword) {
    case 'false':
      return 'is not known here';
    case 'type':
      return `is not ${TYPES[String(limit)] ?? `of the type ${String(limit)}`}`;
    case 'enum':
      return `is none of ${(limit as unknown[]).map((each) => JSON.stringify(each)).join(', ')}`;
    case 'const':
      return `is not ${JSON.stringify(limit)}`;
    case 'minLength':
      return limit === 1 ? 'is empty' : `is shorter than ${limit} characters`;
    case 'maxLength':
      return `is longer than ${limit} characters`;
    case 'minimum':
      return `is less than ${limit}`;
    case 'maximum':
      return `is more than ${limit}`;
    case 'exclusiveMinimum':
      return `is not more than ${limit}`;
    case 'exclusiveMaximum':
      return `is not less than ${limit}`;
    case 'multipleOf':
      return `is not a multiple of ${limit}`;
    case 'pattern':
      return `does not fit the pattern ${limit}`;
    case 'format':
      return `is not written as ${FORMATS[String(limit)] ?? limit}`;
    case 'minItems':
      return limit === 1 ? 'has no items' : `has fewer than ${limit} items`;
    case 'maxItems':
      return `has more than ${limit} items`;
    case 'uniqueItems':
      return 'has an item twice';
    case 'anyOf':
    case 'oneOf':
      return 'fits none of the choices';
    default:
      return error.error;
  }
}

const TYPES: Record<string, string> = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};

const FORMATS: Record<string, string> = { 'date-time': 'a date and time', uri: 'a URL', email: 'an e-mail address' };

/** The value of the keyword that failed. Below a $ref there is none, and the message does without. */
function limitOf(error: OutputUnit, schema: JsonSchema): unknown {
  return pointerSteps(error.keywordLocation).reduce<unknown>((at, step) => {
    if (typeof at !== 'object' || at === null) return undefined;
    const here = step === '$ref' ? undefined : (at as Record<string, unknown>)[step];
    return here ?? undefined;
  }, schema);
}

function pointerSteps(pointer: string): string[] {
  return pointer
    .replace(/^#\/?/, '')
    .split('/')
    .filter((step) => step !== '')
    .map((step) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~'));
}

function stepsTo(pointer: string, value: unknown): Step[] {
  let at = value;
  return pointerSteps(pointer).map((step) => {
    const place: Step = Array.isArray(at) ? Number(step) : step;
    at = (at as Record<Step, unknown> | null | undefined)?.[place];
    return place;
  });
}

/** For the form's library, which asks it which branch of a schema fits; what is wrong is found by `problemsOf`. */
export const validator: ValidatorType<unknown, RJSFSchema> = {
  isValid(schema, value, root) {
    const whole = {
      ...schema,
      $defs: { ...root.$defs, ...schema.$defs },
      definitions: { ...root.definitions, ...schema.definitions },
    };
    return new Validator(whole as Schema, '2020-12', true).validate(sent(value) ?? null).valid;
  },
  validateFormData(value, schema): ValidationData<unknown> {
    const errors = problemsOf(schema as JsonSchema, value).map(({ path, message }) => ({
      property: `.${path}`,
      message,
      stack: `${path} ${message}`,
    }));
    return { errors, errorSchema: toErrorSchema(errors) };
  },
  rawValidation<Result>(schema: RJSFSchema, value?: unknown) {
    return {
      errors: new Validator(schema as Schema, '2020-12', false).validate(sent(value) ?? null).errors as Result[],
    };
  },
};
