/** The output of a job as its action gave it, taken apart. Pure. */

export interface HttpOutput {
  statusCode: number | null;
  headers: readonly (readonly [string, string])[];
  /** Pretty where it is JSON. */
  body: string;
  isJson: boolean;
  truncated: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/** Null: this is no HTTP response. */
export function httpOutput(output: unknown): HttpOutput | null {
  const fields = fieldsOf(output);
  if (fields === null || typeof fields.statusCode !== 'number' || !('headers' in fields)) return null;
  const isJson = fields.json !== undefined && fields.json !== null;
  return {
    statusCode: fields.statusCode,
    headers: Object.entries(fieldsOf(fields.headers) ?? {}).map(([name, value]) => [name, String(value)] as const),
    body: isJson ? JSON.stringify(fields.json, null, 2) : String(fields.body ?? ''),
    isJson,
    truncated: fields.truncated === true,
  };
}

/** Shown elsewhere, and whole there. */
const TEXTS: ReadonlySet<string> = new Set(['stdout', 'stderr', 'truncated']);

/** What else the action gave: of a command its exit code and perhaps more; null: nothing worth a tab of its own. */
export function resultOf(output: unknown): unknown {
  if (output === null || output === undefined || httpOutput(output) !== null) return null;
  const fields = fieldsOf(output);
  if (fields === null) return output;
  const rest = Object.entries(fields).filter(([name]) => !TEXTS.has(name));
  if (rest.length === 0 || (rest.length === 1 && rest[0]?.[0] === 'exitCode' && rest[0][1] === 0)) return null;
  return Object.fromEntries(rest);
}

/** The exit code, or the status of the response; null: there is none. */
export function codeOf(output: unknown, name: 'exitCode' | 'statusCode'): number | null {
  const code = fieldsOf(output)?.[name];
  return typeof code === 'number' ? code : null;
}

function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}
