/** What a node's condition may speak of: the paths that there are where it stands, and what each holds. Pure. */
import { type Kind, TAGS, TEXTS } from '../conditions';
import { type Step, valueAt } from '../text/parsed';
import { namesBelow, nodesAround, type Surroundings } from './options';

export interface KnownPath {
  path: string;
  kind: Kind;
}

const KINDS: Readonly<Record<string, Kind>> = {
  string: 'text',
  integer: 'number',
  number: 'number',
  boolean: 'truth',
  array: 'list',
};

/** `at`: of the node. */
export function pathsAt(value: unknown, at: readonly Step[], known: Surroundings): KnownPath[] {
  const own = valueAt(value, [...at, 'id']);
  const kindOf = (type: unknown): Kind => KINDS[String(type)] ?? null;
  const below = (...steps: string[]) =>
    namesBelow(steps, at, value, known).map(([name, about]) => ({ path: [...steps, name].join('.'), name, about }));
  return [
    ...nodesAround(value, at)
      .filter(({ id, type }) => id !== own && type !== '')
      .flatMap(({ id, type }) =>
        below('nodes', id, 'output').map(({ path, about }) => ({
          path,
          kind: type === 'action' ? kindOf(about) : ('text' as const),
        })),
      ),
    ...below('inputs').map(({ path, name }) => ({
      path,
      kind: kindOf(valueAt(value, ['inputs', 'properties', name, 'type'])),
    })),
    ...below('vars').map(({ path }) => ({ path, kind: null })),
    ...(at.includes('body') ? [{ path: 'item', kind: null } as const, { path: 'index', kind: 'number' } as const] : []),
    ...(hasIncidents(value)
      ? [...TEXTS.map((path) => ({ path, kind: 'text' as const })), { path: TAGS, kind: 'list' as const }]
      : []),
    { path: 'trigger.type', kind: 'text' },
    { path: 'error.message', kind: 'text' },
  ];
}

function hasIncidents(value: unknown): boolean {
  const triggers = valueAt(value, ['triggers']);
  return Array.isArray(triggers) && triggers.some((each) => each?.type === 'incident');
}
