/** The filter of the list of workflows, as it stands in the address. */

export const STATES = ['all', 'active', 'inactive', 'archived'] as const;
export type State = (typeof STATES)[number];

export interface Filter {
  q: string;
  /** `all`: whatever is not archived. */
  state: State;
  /** Only those whose version that runs uses the connection so called. */
  connection: string | null;
  /** Where the page begins; null for the first. */
  cursor: string | null;
}

export function readFilter(params: URLSearchParams): Filter {
  const state = params.get('state');
  return {
    q: params.get('q') ?? '',
    state: STATES.find((each) => each === state) ?? 'all',
    connection: params.get('connection') || null,
    cursor: params.get('cursor'),
  };
}

export function writeFilter({ q, state, connection, cursor }: Filter): URLSearchParams {
  const params = new URLSearchParams();
  if (q) params.set('q', q);
  if (state !== 'all') params.set('state', state);
  if (connection) params.set('connection', connection);
  if (cursor) params.set('cursor', cursor);
  return params;
}

/** As the API asks for it. */
export function queryOf({ q, state, connection, cursor }: Filter) {
  return {
    limit: 100,
    ...(q ? { q } : {}),
    ...(connection ? { connection } : {}),
    ...(cursor ? { cursor } : {}),
    ...(state === 'archived' ? { archived: true } : {}),
    ...(state === 'active' ? { active: true } : {}),
    ...(state === 'inactive' ? { active: false } : {}),
  };
}
