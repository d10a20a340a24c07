/** Inputs as somebody types them: YAML, of which JSON is a part. Pure. */
import { parseDocument, stringify } from 'yaml';

export type Typed = { values: Record<string, unknown> } | { problems: { line: number | null; message: string }[] };

export function parseInputs(text: string): Typed {
  const document = parseDocument(text, { prettyErrors: true });
  if (document.errors.length > 0) {
    return {
      problems: document.errors.map((error) => ({
        line: error.linePos?.[0].line ?? null,
        message: (error.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, ''),
      })),
    };
  }
  const values: unknown = document.toJS();
  if (values === null || values === undefined) return { values: {} };
  if (typeof values !== 'object' || Array.isArray(values)) {
    return { problems: [{ line: 1, message: 'Write one input a line: name: value' }] };
  }
  return { values: values as Record<string, unknown> };
}

export function inputsText(values: Record<string, unknown>): string {
  return Object.keys(values).length === 0 ? '' : stringify(values, { lineWidth: 0 });
}

/** Those that are not what they were; inputs that are left out stay as they were. */
export function changedInputs(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(after).filter(([name, value]) => !(name in before) || !same(before[name], value)),
  );
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
