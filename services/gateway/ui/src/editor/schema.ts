/** The shape of a workflow document, for completion and for what a field may hold: a part of the API's own description. */

import type { Step } from './text/parsed';
import { valueAt } from './text/parsed';
import text from './workflow.schema?raw';

export interface Shape {
  $ref?: string;
  type?: string;
  const?: unknown;
  enum?: unknown[];
  default?: unknown;
  properties?: Record<string, Shape>;
  required?: string[];
  additionalProperties?: boolean | Shape;
  items?: Shape;
  anyOf?: Shape[];
  oneOf?: Shape[];
  discriminator?: { mapping: Record<string, string> };
}

const DEFINITIONS = (JSON.parse(text) as { schemas: Record<string, Shape> }).schemas;

/** What may stand at `path` of a document with this `value`; undefined where anything may, or nothing. */
export function shapeAt(value: unknown, path: readonly Step[]): Shape | undefined {
  let at: Shape | undefined = chosen(DEFINITIONS.Workflow, value);
  path.forEach((step, depth) => {
    const inner = typeof step === 'number' ? at?.items : at?.properties?.[step];
    at = chosen(inner, valueAt(value, path.slice(0, depth + 1)));
  });
  return at;
}

/** References followed, null left out, and of several shapes the one that the value's `type` names. */
function chosen(given: Shape | undefined, value: unknown): Shape | undefined {
  if (given === undefined) return undefined;
  if (given.$ref) return chosen(DEFINITIONS[given.$ref.slice(given.$ref.lastIndexOf('/') + 1)], value);
  if (given.discriminator) {
    const { mapping } = given.discriminator;
    const reference = mapping[String(valueAt(value, ['type']))];
    if (reference) return chosen({ $ref: reference }, value);
    return { properties: { id: {}, type: { enum: Object.keys(mapping) } } };
  }
  const others = given.anyOf?.filter((each) => each.type !== 'null');
  if (others) return chosen(others.find((each) => each.type === 'array' && Array.isArray(value)) ?? others[0], value);
  return given;
}
