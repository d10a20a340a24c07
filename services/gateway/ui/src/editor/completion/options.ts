/** What may stand where the caret is. */
import { portsOf } from '@/graph';
import { FIELD_WORDS } from '../fieldWords';
import { shapeAt } from '../schema';
import { type Step, valueAt } from '../text/parsed';
import { type Caret, caretAt } from './place';

/** What there is in the tenant to refer to. */
export interface Surroundings {
  actions: readonly {
    type: string;
    description: string;
    params: Fields;
    output: Fields;
    connections: readonly string[];
  }[];
  connections: readonly { name: string; kind: string; description: string }[];
  pools: readonly { name: string; description: string }[];
  workflows: readonly { name: string }[];
}

export interface Fields {
  properties?: Record<
    string,
    { type?: string; description?: string; enum?: unknown[]; default?: unknown; [keyword: string]: unknown }
  >;
  required?: string[];
  [keyword: string]: unknown;
}

export interface Option {
  label: string;
  detail?: string;
  info?: string;
  /** What is written, if it is not the label. */
  apply?: string;
  type: 'property' | 'enum' | 'variable' | 'function' | 'constant';
  /** Higher comes first. */
  boost?: number;
}

export interface Completion {
  from: number;
  options: Option[];
}

export function completionAt(text: string, at: number, known: Surroundings): Completion | null {
  const caret = caretAt(text, at);
  if (caret === null) return null;
  if (caret.kind === 'expression') return expressionOptions(caret, known);
  const found = caret.kind === 'key' ? keyOptions(caret, known) : valueOptions(caret, known);
  // a key that is only changed has its colon
  const bare = caret.kind === 'key' && /^[\w$-]*[ \t]*:/.test(text.slice(at));
  const options = bare ? found.map(({ apply: _, ...option }) => option) : found;
  return options.length === 0 ? null : { from: caret.from, options };
}

// --- keys

function keyOptions({ path, value, present, flow }: Caret, known: Surroundings): Option[] {
  const params = paramsAt(value, path, known);
  const shape = params ?? shapeAt(value, path);
  const required = new Set(shape?.required ?? []);
  return Object.entries(shape?.properties ?? {})
    .filter(([key]) => !present.includes(key))
    .map(([key, field], place) => {
      const holds = params === null ? shapeAt(value, [...path, key]) : field;
      const description =
        typeof (field as { description?: unknown }).description === 'string'
          ? String((field as { description?: unknown }).description)
          : FIELD_WORDS[key];
      return {
        label: key,
        type: 'property' as const,
        ...(required.has(key) ? { detail: 'required' } : {}),
        ...(description ? { info: description } : {}),
        apply: key + opening(holds, flow, path),
        boost: (required.has(key) ? 50 : 0) - place,
      };
    });
}

/** What stands behind a key, so that one can go on writing. */
function opening(
  shape: { type?: string; properties?: unknown } | undefined,
  flow: boolean,
  path: readonly Step[],
): string {
  const within = '  '.repeat(path.length + 1);
  if (flow) return ': ';
  if (shape?.type === 'array' && path.length === 0) return `:\n${within}- `;
  return ': ';
}

function paramsAt(value: unknown, path: readonly Step[], known: Surroundings): Fields | null {
  const last = path[path.length - 1];
  if (last !== 'params' && last !== 'inputs') return null;
  if (last === 'inputs' || path.length < 2) return null;
  const action = valueAt(value, [...path.slice(0, -1), 'action']);
  return known.actions.find(({ type }) => type === action)?.params ?? null;
}

// --- values

function valueOptions({ path, value }: Caret, known: Surroundings): Option[] {
  const field = path.findLast((step) => typeof step === 'string');
  const parent = path.slice(0, -1);
  const inEdges = parent[parent.length - 2] === 'edges';
  const inNode = parent[parent.length - 2] === 'nodes';
  if (inEdges) return edgeOptions(value, parent, String(field));
  const params = paramsAt(value, parent, known);
  if (params) return enumOptions(params.properties?.[String(field)]);
  if (inNode) {
    const action = known.actions.find(({ type }) => type === valueAt(value, [...parent, 'action']));
    switch (field) {
      case 'action':
        return known.actions.map(({ type, description }) => ({ label: type, type: 'enum', info: description }));
      case 'connection':
        return known.connections
          .filter(({ kind }) => !action || action.connections.includes(kind))
          .map(({ name, kind, description }) => ({
            label: name,
            type: 'constant',
            detail: kind,
            ...(description ? { info: description } : {}),
          }));
      case 'pool':
        return known.pools.map(({ name, description }) => ({
          label: name,
          type: 'constant',
          ...(description ? { info: description } : {}),
        }));
      case 'workflow':
        return known.workflows.map(({ name }) => ({ label: name, type: 'constant' }));
    }
  }
  return enumOptions(shapeAt(value, path));
}

function enumOptions(shape: { type?: string; enum?: unknown[]; const?: unknown } | undefined): Option[] {
  if (shape?.enum) return shape.enum.map((each) => ({ label: String(each), type: 'enum' }));
  if (shape?.type === 'boolean') return ['true', 'false'].map((label) => ({ label, type: 'constant' }));
  return [];
}

function edgeOptions(value: unknown, edge: readonly Step[], field: string): Option[] {
  const level = edge.slice(0, -2);
  const nodes = nodesOf(value, level);
  const ids = nodes.map(({ id, name, type }) => ({
    label: id,
    type: 'variable' as const,
    detail: type,
    ...(name ? { info: name } : {}),
  }));
  if (field === 'to') return ids;
  if (field === 'from') return [{ label: level.length === 0 ? 'trigger' : 'item', type: 'variable' }, ...ids];
  if (field !== 'port') return [];
  const source = nodes.find(({ id }) => id === valueAt(value, [...edge, 'from']));
  if (!source) return [];
  return portsOf(source.type, source.cases).map((port) => ({
    label: port,
    type: 'enum',
    ...(port === 'true' || port === 'false' ? { apply: `"${port}"` } : {}),
  }));
}

interface Known {
  id: string;
  type: string;
  name: string | null;
  action: string | null;
  cases: unknown[];
  values: string[];
}

function nodesOf(value: unknown, level: readonly Step[]): Known[] {
  const list = valueAt(value, [...level, 'nodes']);
  if (!Array.isArray(list)) return [];
  return list.flatMap((node): Known[] => {
    if (typeof node?.id !== 'string') return [];
    return [
      {
        id: node.id,
        type: String(node.type ?? ''),
        name: typeof node.name === 'string' ? node.name : null,
        action: typeof node.action === 'string' ? node.action : null,
        cases: Array.isArray(node.cases) ? node.cases : [],
        values: typeof node.values === 'object' && node.values !== null ? Object.keys(node.values) : [],
      },
    ];
  });
}

// --- expressions

const TRIGGER_FIELDS = ['type', 'payload', 'user', 'webhookId', 'scheduledAt', 'event', 'incidentId'];
const ROOTS: [string, string][] = [
  ['inputs', 'The variables of the run'],
  ['nodes', 'What nodes before it gave'],
  ['vars', 'What setVariables named'],
  ['trigger', 'What started it'],
  ['error', 'The error whose edge was followed last'],
  ['execution', 'The execution itself'],
  ['incident', 'If an incident started it'],
  ['webhook', 'If a webhook started it: the variables of the call'],
];
const FIXED: Readonly<Record<string, readonly string[]>> = {
  trigger: TRIGGER_FIELDS,
  error: ['nodeId', 'message', 'reason', 'actionType', 'exitCode', 'statusCode'],
  execution: ['id', 'startedAt', 'workflowName', 'startedBy'],
  incident: ['id', 'title', 'severity', 'status', 'service', 'source', 'host', 'team', 'tags'],
};
const OUTPUTS: Readonly<Record<string, readonly string[]>> = {
  approval: ['decision', 'respondedBy', 'responseNote', 'respondedVia', 'respondedAt'],
  subworkflow: ['executionId', 'status', 'variables'],
};

function expressionOptions({ path, value, word, from }: Caret, known: Surroundings): Completion | null {
  const steps = word.split('.');
  const last = steps.pop() ?? '';
  const names = namesBelow(steps, path, value, known);
  const options = names.map(([label, info]): Option => ({ label, type: 'variable', ...(info ? { info } : {}) }));
  return options.length === 0 ? null : { from: from + word.length - last.length, options };
}

export function namesBelow(
  steps: readonly string[],
  path: readonly Step[],
  value: unknown,
  known: Surroundings,
): (readonly [string, string?])[] {
  const [root, id, part, ...further] = steps;
  if (root === undefined) {
    if (path[0] === 'triggers') return [['incident', 'The incident as it was sent']];
    const inBody = path.includes('body');
    return inBody ? [['item', 'The element'], ['index', 'Its place, from 0'], ...ROOTS] : ROOTS;
  }
  const visible = nodesAround(value, path);
  if (root === 'nodes') {
    if (id === undefined) return visible.map((node): [string, string] => [node.id, node.name ?? node.type]);
    if (part === undefined) return [['output', 'What it gave'], ['status'], ['exitCode'], ['error', 'Why it failed']];
    const node = visible.find((each) => each.id === id);
    if (part !== 'output' || further.length > 0 || !node) return [];
    const output = known.actions.find(({ type }) => type === node.action)?.output;
    if (node.type === 'action')
      return Object.entries(output?.properties ?? {}).map(([key, field]): [string, string?] => [key, field.type]);
    return (OUTPUTS[node.type] ?? []).map((each): [string] => [each]);
  }
  if (id !== undefined) return [];
  if (root === 'inputs') {
    const inputs = valueAt(value, ['inputs', 'properties']);
    if (typeof inputs !== 'object' || inputs === null) return [];
    return Object.entries(inputs).map(
      ([key, field]) => [key, String(field?.description ?? field?.type ?? '')] as [string, string],
    );
  }
  if (root === 'vars') return [...new Set(visible.flatMap(({ values }) => values))].map((each): [string] => [each]);
  return (FIXED[root] ?? []).map((each): [string] => [each]);
}

/** Those of the graph that the place is in, and of those around it. */
export function nodesAround(value: unknown, path: readonly Step[]): Known[] {
  return levelsAround(path).flatMap((level) => nodesOf(value, level));
}

/** The graph that the caret is in, and those around it. */
function levelsAround(path: readonly Step[]): Step[][] {
  const levels: Step[][] = [[]];
  path.forEach((step, at) => {
    if (step === 'body') levels.push(path.slice(0, at + 1));
  });
  return levels;
}
