/** What a new node is made of, by its type: as little as makes sense, to be filled in. */
import type { Fields } from './completion/options';
import { freeId, type NodeValue } from './edits';

export function newNode(document: unknown, type: string, action?: { type: string; params: Fields }): NodeValue {
  if (action) {
    const id = freeId(document, action.type.slice(action.type.lastIndexOf('.') + 1));
    return { id, type, action: action.type, params: requiredOf(action.params) };
  }
  const id = freeId(document, IDS[type] ?? type);
  const fields = FIELDS[type];
  return { id, type, ...fields?.(document, id) };
}

const IDS: Readonly<Record<string, string>> = {
  approval: 'approve',
  condition: 'check',
  switch: 'choose',
  delay: 'wait',
  parallel: 'split',
  forEach: 'each',
  subworkflow: 'run',
  setVariables: 'set',
  errorHandler: 'failed',
};

const FIELDS: Readonly<Record<string, (document: unknown, id: string) => Record<string, unknown>>> = {
  approval: () => ({ message: 'Go on?' }),
  condition: () => ({ expression: 'true' }),
  switch: () => ({ expression: '"one"', cases: ['one', 'two'] }),
  delay: () => ({ seconds: 60 }),
  forEach: (document, id) => {
    const inner = freeId(document, `${id}_step`);
    return {
      items: ['one', 'two'],
      body: {
        nodes: [{ id: inner, type: 'action', action: 'script.bash', params: { script: 'echo "{{ item }}"' } }],
        edges: [{ from: 'item', to: inner }],
      },
    };
  },
  subworkflow: () => ({ workflow: '' }),
  setVariables: () => ({ values: { name: 'value' } }),
};

/** What must be given has its place, empty, so that it is seen. */
function requiredOf(params: Fields): Record<string, unknown> {
  return Object.fromEntries(
    (params.required ?? []).map((name) => {
      const { type, enum: choices } = params.properties?.[name] ?? {};
      if (choices) return [name, choices[0]];
      if (type === 'array') return [name, []];
      if (type === 'object') return [name, {}];
      if (type === 'integer' || type === 'number') return [name, 1];
      if (type === 'boolean') return [name, false];
      return [name, ''];
    }),
  );
}
