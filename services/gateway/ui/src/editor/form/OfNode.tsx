/** A node, by its type: what it is called, what its type asks for, where it leads. */
import { Button, Select, TextInput, Title } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { aroundOf, type GraphNode, lookOf } from '@/graph';
import { type FieldProblem, pathOf, problemsBelow } from '@/ui/schemaForm/paths';
import { pathsAt } from '../completion/paths';
import { mentions, nodePath, renameId, setField } from '../edits';
import { valueAt } from '../text/parsed';
import { Edges } from './Edges';
import { Fields } from './Fields';
import classes from './Form.module.css';
import { type Field, NODE_FIELDS } from './fields';
import type { FormProps } from './props';

const FOCUSABLE = 'input:not([type="hidden"]), textarea';

/** In the graph: of a node without fields, or where the form is not shown. */
function cardOf(key: string): HTMLElement | null {
  return document.querySelector(`[data-node="${CSS.escape(key)}"]`);
}

export function OfNode(props: FormProps & { node: GraphNode }) {
  const { node, parsed, problems, known, readOnly, edit, onDelete } = props;
  const fieldsPlace = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it is shown first
  useEffect(() => {
    if (!props.isNew(node.key)) return;
    const first = fieldsPlace.current?.querySelector<HTMLElement>(FOCUSABLE);
    (first?.offsetParent ? first : cardOf(node.key))?.focus({ preventScroll: true });
  }, []);
  const path = nodePath(parsed.value, node.key);
  const owner = path === null ? null : valueAt(parsed.value, path);
  if (path === null || typeof owner !== 'object' || owner === null) return null;
  const below = problemsBelow(pathOf(path), problems);
  const look = lookOf(node.type);
  const action = known.actionTypes.find(({ type }) => type === (owner as { action?: unknown }).action);
  const fields = NODE_FIELDS[node.type] ?? [];
  const paths = node.type === 'condition' || node.type === 'switch' ? pathsAt(parsed.value, path, known) : [];
  const Icon = look.icon;
  return (
    <div className={classes.form}>
      <div className={classes.head}>
        <Icon size={18} aria-hidden />
        <Title order={2} mr="auto">
          {node.name}
        </Title>
        {!readOnly && (
          <Button
            size="compact-sm"
            variant="default"
            color="red"
            leftSection={<IconTrash size={14} aria-hidden />}
            onClick={() => onDelete({ nodes: [node.key], edges: [] })}
          >
            Delete
          </Button>
        )}
      </div>
      <p className={classes.does}>{action ? action.description.replaceAll('`', '') : look.does}</p>
      <ProblemsOfItself problems={below} fields={fields} />
      <div className={classes.fields}>
        <IdField {...props} problems={below} />
        <TextInput
          size="xs"
          label="Name"
          placeholder={node.id}
          value={
            typeof (owner as { name?: unknown }).name === 'string' ? String((owner as { name?: unknown }).name) : ''
          }
          disabled={readOnly}
          autoComplete="off"
          onChange={({ currentTarget: { value } }) =>
            edit((text) => setField(text, node.key, 'name', value === '' ? undefined : value), true)
          }
        />
        {node.type === 'action' && (
          <Select
            size="xs"
            label="Action"
            required
            searchable
            disabled={readOnly}
            data={known.actionTypes.map(({ type }) => type)}
            value={String((owner as { action?: unknown }).action ?? '')}
            error={problemsBelow('action', below)
              .map(({ message }) => message)
              .join('; ')}
            onChange={(value) => value && edit((text) => setField(text, node.key, 'action', value))}
          />
        )}
      </div>
      <div ref={fieldsPlace}>
        <Fields
          fields={fields}
          owner={owner as Record<string, unknown>}
          problems={below}
          known={known}
          paths={paths}
          readOnly={readOnly}
          onChange={(name, value) => edit((text) => setField(text, node.key, name, value), true)}
        />
      </div>
      <Edges {...props} />
    </div>
  );
}

/** What is wrong with the node as a whole, or with fields that the form does not have. */
function ProblemsOfItself({ problems, fields }: { problems: readonly FieldProblem[]; fields: readonly Field[] }) {
  const shown = new Set(['id', 'action', ...fields.map(({ name }) => name)]);
  const others = problems.filter(
    ({ path }) => !shown.has(/^[^.[]*/.exec(path)?.[0] ?? '') && !path.startsWith('body.'),
  );
  if (others.length === 0) return null;
  return (
    <ul style={{ margin: '0 0 10px', paddingLeft: 18, color: 'var(--ry-red)', fontSize: '0.8125rem' }}>
      {others.map(({ path, message }) => (
        <li key={`${path} ${message}`}>
          {path} {message}
        </li>
      ))}
    </ul>
  );
}

/** Taken over when it is left or Enter is pressed: half an id is one that nothing refers to. */
function IdField({
  node,
  parsed,
  edit,
  onSelect,
  readOnly,
  problems,
}: Omit<FormProps, 'problems'> & { node: GraphNode; problems: readonly FieldProblem[] }) {
  const [typed, setTyped] = useState(node.id);
  useEffect(() => setTyped(node.id), [node.id]);
  const named = typed === node.id ? 0 : mentions(parsed.text, `nodes.${node.id}`);
  const wrong = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(typed)
    ? null
    : 'Letters, digits and _, not beginning with a digit';
  const rename = () => {
    if (wrong !== null || typed === node.id) return setTyped(node.id);
    edit((text) => renameId(text, node.key, typed));
    const around = aroundOf(node.key);
    onSelect(around === null ? typed : `${around}/${typed}`);
  };
  return (
    <TextInput
      size="xs"
      label="Id"
      required
      value={typed}
      disabled={readOnly}
      spellCheck={false}
      autoComplete="off"
      error={
        wrong ??
        (problemsBelow('id', problems)
          .map(({ message }) => message)
          .join('; ') ||
          null)
      }
      description={
        named > 0
          ? `Edges follow; ${named === 1 ? 'one line names' : `${named} lines name`} nodes.${node.id} in an expression and must be changed by hand`
          : undefined
      }
      onChange={({ currentTarget }) => setTyped(currentTarget.value)}
      onBlur={rename}
      onKeyDown={(event) => {
        if (event.key === 'Enter') rename();
        if (event.key === 'Escape') setTyped(node.id);
      }}
    />
  );
}
