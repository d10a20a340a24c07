/** A connection while it is edited. Of secrets there are only changes: what is not among them stays as it is. */
import type { ConnectionRow } from '@/api/types';
import type { JsonSchema } from '@/ui/schemaForm/schema';

export interface Draft {
  name: string;
  kind: string;
  description: string;
  pools: string[];
  config: Record<string, unknown>;
  /** A text replaces, null removes. */
  secrets: Readonly<Record<string, string | null>>;
}

export const EMPTY: Draft = { name: '', kind: '', description: '', pools: [], config: {}, secrets: {} };

export function draftOf(row: ConnectionRow): Draft {
  return {
    name: row.name,
    kind: row.kind,
    description: row.description,
    pools: row.pools,
    config: (row.config ?? {}) as Record<string, unknown>,
    secrets: {},
  };
}

export interface SecretField {
  name: string;
  required: boolean;
  /** The server has one. */
  kept: boolean;
  /** What will be done with it. */
  change: 'stays' | 'replaced' | 'removed' | 'none';
}

/** The secrets that there are or may be: those of the kind, in its order, and those that somebody named. */
export function secretFields(
  schema: JsonSchema,
  kept: readonly string[],
  changes: Draft['secrets'],
): { fields: SecretField[]; anyName: boolean } {
  const anyName = typeof schema.additionalProperties === 'object';
  const names = [
    ...new Set([
      ...Object.keys(schema.properties ?? {}),
      ...[...kept].sort(),
      ...(anyName ? Object.keys(changes) : []),
    ]),
  ];
  const fields = names.map((name): SecretField => {
    const change = changes[name];
    const has = kept.includes(name);
    return {
      name,
      required: schema.required?.includes(name) ?? false,
      kept: has,
      change: change === null ? 'removed' : change !== undefined ? 'replaced' : has ? 'stays' : 'none',
    };
  });
  return { fields, anyName };
}

export function withSecret(draft: Draft, name: string, change: string | null | undefined): Draft {
  const { [name]: _, ...others } = draft.secrets;
  return { ...draft, secrets: change === undefined ? others : { ...others, [name]: change } };
}

export function bodyOf(draft: Draft) {
  const { name, description, pools, config } = draft;
  // a secret that was named and not entered is none
  const secrets = Object.fromEntries(Object.entries(draft.secrets).filter(([, each]) => each !== ''));
  return { name: name.trim(), description: description.trim(), pools, config, secrets };
}

/** Whether there is something to be saved, or lost. */
export function isChanged(draft: Draft, row: ConnectionRow | null): boolean {
  return said(draft) !== said(row === null ? { ...EMPTY, kind: draft.kind, config: draft.config } : draftOf(row));
}

/** Null, nothing and left out are the same in a form, and the order of members says nothing. */
function said(draft: Draft): string {
  const sorted = (value: unknown): unknown =>
    typeof value !== 'object' || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(
          Object.entries(value)
            .map(([key, each]) => [key, sorted(each)] as const)
            .filter(([, each]) => ![undefined, 'null', '{}', '""'].includes(JSON.stringify(each)))
            .sort(([one], [other]) => (one < other ? -1 : 1)),
        );
  return JSON.stringify([sorted({ ...draft, secrets: {} }), Object.entries(draft.secrets).sort()]);
}
