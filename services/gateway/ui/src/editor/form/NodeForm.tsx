/** What is selected in the graph, as a form: a node, an edge, or the workflow itself. Every change is a change of the text. */
import { ActionIcon, Button, Collapse, Group, Menu, Select, TextInput, Title, Tooltip } from '@mantine/core';
import { IconChevronDown, IconChevronRight, IconPlus, IconTrash, IconX } from '@tabler/icons-react';
import { type ReactNode, useEffect, useState } from 'react';
import { aroundOf, type GraphModel, type GraphNode, idOf, lookOf } from '@/graph';
import { type FieldProblem, pathOf, problemsBelow } from '@/ui/schemaForm/paths';
import { find, levelOf, targets } from '../AddMenu';
import { connect, disconnect, mentions, nodePath, removeNode, renameId, setField } from '../edits';
import type { Placed } from '../places';
import { type Parsed, valueAt } from '../text/parsed';
import { withItem, withoutItem, withValue } from '../text/splice';
import type { Known } from '../useSurroundings';
import { FieldInput } from './FieldInput';
import classes from './Form.module.css';
import { type Field, NODE_FIELDS, TRIGGER_FIELDS, WORKFLOW_FIELDS } from './fields';

export interface FormProps {
  parsed: Parsed;
  model: GraphModel;
  selected: string | null;
  problems: readonly Placed[];
  known: Known;
  readOnly: boolean;
  /** `together`: typing, which is undone together. */
  edit: (change: (text: string) => string, together?: boolean) => void;
  onSelect: (key: string | null) => void;
}

export function NodeForm(props: FormProps) {
  const { model, selected } = props;
  const node = selected === null ? null : find(model, selected);
  if (node && node.type !== 'trigger' && node.type !== 'item') return <OfNode key={node.key} {...props} node={node} />;
  const edge = selected === null ? null : edgeIn(model, selected);
  if (edge) return <OfEdge key={edge.edge.key} {...props} level={edge.level} edge={edge.edge} />;
  return <OfWorkflow {...props} />;
}

function OfNode(props: FormProps & { node: GraphNode }) {
  const { node, parsed, problems, known, readOnly, edit, onSelect } = props;
  const path = nodePath(parsed.value, node.key);
  const owner = path === null ? null : valueAt(parsed.value, path);
  if (path === null || typeof owner !== 'object' || owner === null) return null;
  const below = problemsBelow(pathOf(path), problems);
  const look = lookOf(node.type);
  const action = known.actionTypes.find(({ type }) => type === (owner as { action?: unknown }).action);
  const fields = NODE_FIELDS[node.type] ?? [];
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
            onClick={() => {
              edit((text) => removeNode(text, node.key));
              onSelect(null);
            }}
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
          <div className={classes.wide}>
            <Select
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
          </div>
        )}
      </div>
      <Fields
        fields={fields}
        owner={owner as Record<string, unknown>}
        problems={below}
        known={known}
        readOnly={readOnly}
        onChange={(name, value) => edit((text) => setField(text, node.key, name, value), true)}
      />
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
  const named = typed === node.id ? 0 : mentions(parsed.text, node.id);
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

const NARROW: ReadonlySet<string> = new Set(['number', 'choice', 'connection', 'pool', 'workflow']);

function Fields({
  fields,
  owner,
  problems,
  known,
  readOnly,
  onChange,
}: {
  fields: readonly Field[];
  owner: Readonly<Record<string, unknown>>;
  problems: readonly FieldProblem[];
  known: Known;
  readOnly: boolean;
  onChange: (name: string, value: unknown) => void;
}) {
  const more = fields.filter((each) => each.more);
  const [opened, setOpened] = useState(() => more.some(({ name }) => owner[name] !== undefined));
  const shown = (list: readonly Field[]) => (
    <div className={classes.fields} style={{ marginTop: 12 }}>
      {list.map((field) => (
        <div key={field.name} className={NARROW.has(field.control.kind) ? undefined : classes.wide}>
          <FieldInput
            field={field}
            owner={owner}
            problems={problems}
            known={known}
            readOnly={readOnly}
            onChange={(value) => onChange(field.name, value)}
          />
        </div>
      ))}
    </div>
  );
  return (
    <>
      {shown(fields.filter((each) => !each.more))}
      {more.length > 0 && (
        <>
          <Button
            mt="sm"
            size="compact-sm"
            variant="subtle"
            aria-expanded={opened}
            leftSection={
              opened ? <IconChevronDown size={14} aria-hidden /> : <IconChevronRight size={14} aria-hidden />
            }
            onClick={() => setOpened(!opened)}
          >
            More
          </Button>
          <Collapse expanded={opened}>{shown(more)}</Collapse>
        </>
      )}
    </>
  );
}

/** Where it leads, and the way to connect it without a mouse. */
function Edges({ node, model, readOnly, edit }: FormProps & { node: GraphNode }) {
  const level = levelOf(model, aroundOf(node.key));
  const leaving = level?.edges.filter((edge) => edge.from === node.key) ?? [];
  const ports = (node.ports.length === 0 ? [null] : node.ports).filter(
    (port) => targets({ from: node.key, port }, model).length > 0,
  );
  if (leaving.length === 0 && ports.length === 0) return null;
  return (
    <fieldset className={classes.group} style={{ marginTop: 16 }}>
      <legend>Leads to</legend>
      <ul className={classes.edges}>
        {leaving.map((edge) => (
          <li key={edge.key}>
            <span>
              {edge.port ?? 'then'} → {find(model, edge.to)?.name ?? idOf(edge.to)}
            </span>
            {!readOnly && (
              <ActionIcon
                size="sm"
                variant="subtle"
                color="gray"
                aria-label={`Remove the edge to ${idOf(edge.to)}`}
                onClick={() => edit((text) => disconnect(text, model, edge.key))}
              >
                <IconX size={14} aria-hidden />
              </ActionIcon>
            )}
          </li>
        ))}
      </ul>
      {!readOnly && (
        <Group gap={6}>
          {ports.map((port) => (
            <ConnectMenu key={port ?? ''} from={node.key} port={port} model={model} edit={edit} />
          ))}
        </Group>
      )}
    </fieldset>
  );
}

function ConnectMenu({
  from,
  port,
  model,
  edit,
}: {
  from: string;
  port: string | null;
  model: GraphModel;
  edit: FormProps['edit'];
}) {
  const choices = targets({ from, port }, model);
  return (
    <Menu>
      <Menu.Target>
        <Button size="compact-xs" variant="default" leftSection={<IconPlus size={12} aria-hidden />}>
          {port === null ? 'Connect' : `Connect ${port}`}
        </Button>
      </Menu.Target>
      <Menu.Dropdown mah={320} style={{ overflowY: 'auto' }}>
        {choices.map((target) => (
          <Menu.Item key={target.key} onClick={() => edit((text) => connect(text, { from, port, to: target.key }))}>
            {target.name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function OfEdge({
  level,
  edge,
  model,
  readOnly,
  edit,
  onSelect,
}: FormProps & { level: GraphModel; edge: GraphModel['edges'][number] }) {
  const from = find(level, edge.from);
  const name = (key: string) => level.nodes.find((node) => node.key === key)?.name ?? idOf(key);
  return (
    <div className={classes.form}>
      <div className={classes.head}>
        <Title order={2} mr="auto">
          {name(edge.from)} → {name(edge.to)}
        </Title>
        {!readOnly && (
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconTrash size={14} aria-hidden />}
            onClick={() => {
              edit((text) => disconnect(text, model, edge.key));
              onSelect(null);
            }}
          >
            Delete
          </Button>
        )}
      </div>
      {from && from.ports.length > 1 && (
        <Select
          label="Port"
          description="Which outcome of the node it follows"
          data={[...from.ports]}
          value={edge.port}
          disabled={readOnly}
          allowDeselect={false}
          onChange={(port) => {
            if (port === null || port === edge.port) return;
            edit((text) => connect(disconnect(text, model, edge.key), { from: edge.from, port, to: edge.to }));
            onSelect(edge.from);
          }}
        />
      )}
    </div>
  );
}

const TRIGGERS: Readonly<Record<string, { label: string; made: Record<string, unknown> }>> = {
  manual: { label: 'By hand', made: { type: 'manual' } },
  schedule: { label: 'Schedule', made: { type: 'schedule', cron: '0 6 * * *' } },
  webhook: { label: 'Webhook', made: { type: 'webhook', id: 'monitoring' } },
  incident: { label: 'Incident', made: { type: 'incident', events: ['incident.created'] } },
};

function OfWorkflow({ parsed, problems, known, readOnly, edit, model }: FormProps) {
  const { value } = parsed;
  const owner = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const triggers = Array.isArray(owner.triggers) ? (owner.triggers as Record<string, unknown>[]) : [];
  const level = model.nodes.find((node) => node.type === 'trigger');
  return (
    <div className={classes.form}>
      <div className={classes.head}>
        <Title order={2}>The workflow</Title>
      </div>
      <p className={classes.does}>Select a node or an edge to see its fields here.</p>
      <Fields
        fields={WORKFLOW_FIELDS}
        owner={owner}
        problems={problems}
        known={known}
        readOnly={readOnly}
        onChange={(name, next) =>
          edit((text) => withValue(text, [name], next, name === 'description' ? 'name' : undefined), true)
        }
      />
      <fieldset className={classes.group} style={{ marginTop: 16 }}>
        <legend>Triggers</legend>
        {triggers.map((trigger, at) => {
          const type = String(trigger?.type ?? '');
          return (
            <Entry
              // biome-ignore lint/suspicious/noArrayIndexKey: a trigger has nothing else of its own
              key={at}
              title={TRIGGERS[type]?.label ?? type}
              readOnly={readOnly}
              onRemove={() => edit((text) => withoutItem(text, ['triggers'], at))}
            >
              <Fields
                fields={TRIGGER_FIELDS[type] ?? []}
                owner={trigger ?? {}}
                problems={problemsBelow(`triggers[${at}]`, problems)}
                known={known}
                readOnly={readOnly}
                onChange={(name, next) => edit((text) => withValue(text, ['triggers', at, name], next), true)}
              />
            </Entry>
          );
        })}
        {!readOnly && (
          <Menu>
            <Menu.Target>
              <Button mt="xs" size="compact-sm" variant="default" leftSection={<IconPlus size={14} aria-hidden />}>
                Add a trigger
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {Object.entries(TRIGGERS).map(([type, { label, made }]) => (
                <Menu.Item
                  key={type}
                  onClick={() => edit((text) => withItem(text, ['triggers'], triggers.length, made, true))}
                >
                  {label}
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
        )}
      </fieldset>
      {level && (
        <Edges
          {...{ parsed, problems, known, readOnly, edit, model, selected: null, onSelect: () => {} }}
          node={level}
        />
      )}
    </div>
  );
}

function Entry({
  title,
  readOnly,
  onRemove,
  children,
}: {
  title: string;
  readOnly: boolean;
  onRemove: () => void;
  children: ReactNode;
}) {
  return (
    <div style={{ padding: '6px 0', borderBottom: '1px solid var(--ry-line)' }}>
      <Group justify="space-between">
        <Title order={3}>{title}</Title>
        {!readOnly && (
          <Tooltip label="Remove">
            <ActionIcon variant="subtle" color="gray" aria-label={`Remove the trigger ${title}`} onClick={onRemove}>
              <IconX size={15} aria-hidden />
            </ActionIcon>
          </Tooltip>
        )}
      </Group>
      {children}
    </div>
  );
}

function edgeIn(model: GraphModel, key: string): { level: GraphModel; edge: GraphModel['edges'][number] } | null {
  const edge = model.edges.find((each) => each.key === key);
  if (edge) return { level: model, edge };
  for (const node of model.nodes) {
    const found = node.body ? edgeIn(node.body, key) : null;
    if (found) return found;
  }
  return null;
}
