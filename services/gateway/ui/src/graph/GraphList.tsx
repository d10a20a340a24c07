/** The graph in words: every node with its state and where its edges lead. For whoever cannot see the drawing, or has no room for it. */
import { ActionIcon, Button } from '@mantine/core';
import { IconPlus, IconTopologyStar3, IconX } from '@tabler/icons-react';
import { NODE } from '@/theme/status';
import { Duration } from '@/ui/Instant';
import { StatusBadge } from '@/ui/StatusBadge';
import type { GraphModel, GraphNode } from './model';
import { lookOf } from './nodeTypes';
import type { WorkflowGraphProps } from './props';
import classes from './WorkflowGraph.module.css';
import { progressWords } from './words';

export function GraphList(props: WorkflowGraphProps & { onClose: () => void }) {
  return (
    <section className={classes.listed} aria-label={`${props.label}, as a list`}>
      <div className={classes.controls}>
        <Button
          size="compact-xs"
          variant="default"
          leftSection={<IconTopologyStar3 size={14} aria-hidden />}
          onClick={props.onClose}
        >
          Graph
        </Button>
      </div>
      <Level {...props} level={props.model} around={null} />
    </section>
  );
}

function Level({ level, around, ...props }: WorkflowGraphProps & { level: GraphModel; around: string | null }) {
  const { editing } = props;
  return (
    <>
      <ol>
        {level.nodes.map((node) => (
          <li key={node.key}>
            <Entry {...props} level={level} node={node} />
            {node.body && <Level {...props} level={node.body} around={node.key} />}
          </li>
        ))}
      </ol>
      {editing && (
        <Button
          size="compact-xs"
          variant="subtle"
          leftSection={<IconPlus size={14} aria-hidden />}
          onClick={(event) => editing.onAdd({ kind: 'within', around }, event.currentTarget)}
        >
          Add a node
        </Button>
      )}
    </>
  );
}

function Entry({
  node,
  level,
  selected,
  onSelect,
  states,
  edgeStates,
  editing,
}: WorkflowGraphProps & { node: GraphNode; level: GraphModel }) {
  const state = states?.get(node.key);
  const { label, icon: Icon } = lookOf(node.type);
  const leaving = level.edges.filter((edge) => edge.from === node.key);
  const nameOf = (key: string) => level.nodes.find((each) => each.key === key)?.name ?? key;
  return (
    <>
      <div className={classes.entry}>
        <button
          type="button"
          className={classes.entryName}
          aria-pressed={selected === node.key}
          onClick={() => onSelect(node.key)}
        >
          <Icon size={15} aria-hidden />
          {node.name}
        </button>
        <span className={classes.soft}>
          {label}
          {node.detail && ` · ${node.detail}`}
        </span>
        {state?.status && <StatusBadge look={NODE[state.status]} bare />}
        {state?.progress && <span className="numbers">{progressWords(state.progress)}</span>}
        {state?.startedAt && (
          <span className={classes.soft}>
            <Duration startedAt={state.startedAt} finishedAt={state.finishedAt} />
          </span>
        )}
        {(editing?.problems?.get(node.key) ?? 0) > 0 && (
          <span className={classes.wrong}>{editing?.problems?.get(node.key)} problems</span>
        )}
      </div>
      {(leaving.length > 0 || editing) && (
        <ul className={classes.leaving}>
          {leaving.map((edge) => (
            <li key={edge.key}>
              {edge.port ?? 'then'} → {nameOf(edge.to)}
              {edgeStates?.get(edge.key) && edgeStates.get(edge.key) !== 'pending' && ` (${edgeStates.get(edge.key)})`}
              {editing && (
                <ActionIcon
                  size="xs"
                  variant="subtle"
                  color="gray"
                  aria-label={`Remove the edge from ${node.name} to ${nameOf(edge.to)}`}
                  onClick={() => editing.onDelete({ nodes: [], edges: [edge.key] })}
                >
                  <IconX size={12} aria-hidden />
                </ActionIcon>
              )}
            </li>
          ))}
          {editing &&
            (node.ports.length === 0 ? [null] : node.ports).map((port) => (
              <li key={port ?? ''}>
                <Button
                  size="compact-xs"
                  variant="subtle"
                  leftSection={<IconPlus size={12} aria-hidden />}
                  onClick={(event) => editing.onAdd({ kind: 'after', from: node.key, port }, event.currentTarget)}
                >
                  after {port ?? 'it'}
                  <span className="visually-hidden"> of {node.name}</span>
                </Button>
              </li>
            ))}
        </ul>
      )}
    </>
  );
}
