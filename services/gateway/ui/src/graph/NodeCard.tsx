import { ActionIcon, Tooltip } from '@mantine/core';
import { IconAlertTriangle, IconChevronDown, IconChevronRight, IconPlus } from '@tabler/icons-react';
import { Handle, type NodeProps, Position } from '@xyflow/react';
import { memo } from 'react';
import { NODE } from '@/theme/status';
import { Duration } from '@/ui/Instant';
import { useScene } from './context';
import type { PlacedFlowNode } from './flow';
import type { PlacedNode, PlacedPort } from './layout';
import { lookOf } from './nodeTypes';
import { handleOf } from './ports';
import type { NodeState } from './props';
import classes from './WorkflowGraph.module.css';
import { nodeWords, progressWords } from './words';

/** Of these it is worth knowing how long they took: the others take no time. */
const TAKES_TIME: ReadonlySet<string> = new Set(['action', 'approval', 'delay', 'forEach', 'subworkflow', 'join']);

export const NodeCard = memo(function NodeCard({ data: { placed } }: NodeProps<PlacedFlowNode>) {
  const scene = useScene();
  const { node, unfolded, ports } = placed;
  const right = scene.direction === 'right';
  const state = scene.states?.get(node.key);
  const source = node.type === 'trigger' || node.type === 'item';
  return (
    <div
      className={classes.place}
      data-status={scene.states ? (state?.status ?? 'unknown') : 'editing'}
      data-selected={scene.selected === node.key}
      data-unfolded={unfolded}
      style={toneOf(state)}
    >
      {!source && (
        <Handle
          type="target"
          position={right ? Position.Left : Position.Top}
          isConnectable={scene.editing !== undefined}
          className={classes.inlet}
        />
      )}
      <Card placed={placed} state={state} isCurrent={scene.current === node.key} />
      {node.body && (
        <Tooltip label={unfolded ? 'Fold' : 'Unfold'}>
          <ActionIcon
            variant="subtle"
            color="gray"
            size={24}
            className={`${classes.fold} nopan`}
            tabIndex={scene.current === node.key ? 0 : -1}
            aria-expanded={unfolded}
            aria-label={`${unfolded ? 'Fold' : 'Unfold'} ${node.name}`}
            onClick={() => scene.onFold(node.key)}
          >
            {unfolded ? <IconChevronDown size={15} aria-hidden /> : <IconChevronRight size={15} aria-hidden />}
          </ActionIcon>
        </Tooltip>
      )}
      {ports.map((port) => (
        <Port key={handleOf(port.port)} placed={placed} port={port} />
      ))}
    </div>
  );
});

function Card({ placed, state, isCurrent }: { placed: PlacedNode; state: NodeState | undefined; isCurrent: boolean }) {
  const { onSelect, editing, selected } = useScene();
  const { node } = placed;
  const Icon = lookOf(node.type).icon;
  const source = node.type === 'trigger' || node.type === 'item';
  const problems = editing?.problems?.get(node.key) ?? 0;
  return (
    <button
      type="button"
      className={classes.card}
      data-node={node.key}
      aria-label={nodeWords(node, state, problems)}
      aria-pressed={selected === node.key}
      title={[node.name, node.detail].filter(Boolean).join('\n')}
      tabIndex={isCurrent ? 0 : -1}
      onClick={() => onSelect(node.key)}
    >
      <span className={classes.icon}>
        <Icon size={16} stroke={1.8} aria-hidden />
      </span>
      <span className={classes.texts}>
        <span className={classes.name}>{node.name}</span>
        {!source && <span className={classes.detail}>{node.detail ?? lookOf(node.type).label}</span>}
        {!source && state && <StateLine type={node.type} state={state} />}
      </span>
      {problems > 0 && (
        <span className={classes.problems}>
          <IconAlertTriangle size={13} aria-hidden />
          {problems}
        </span>
      )}
    </button>
  );
}

function StateLine({ type, state }: { type: string; state: NodeState }) {
  if (state.status === null) return <span className={classes.state}>each item its own</span>;
  const { label, icon: Icon, animated } = NODE[state.status];
  const { progress } = state;
  return (
    <span className={classes.state}>
      <Icon size={13} stroke={2.2} className={animated ? classes.turning : undefined} aria-hidden />
      {label}
      {progress ? (
        <span className={classes.progress}>
          <span className="numbers">{progressWords(progress)}</span>
          <span className={classes.bar}>
            <span style={{ width: share(progress.completed, progress.total), background: 'var(--ry-green)' }} />
            <span style={{ width: share(progress.failed, progress.total), background: 'var(--ry-red)' }} />
          </span>
        </span>
      ) : (
        TAKES_TIME.has(type) &&
        state.startedAt !== null && (
          <span className={classes.time}>
            <Duration startedAt={state.startedAt} finishedAt={state.finishedAt} />
          </span>
        )
      )}
    </span>
  );
}

function share(part: number, total: number): string {
  return total === 0 ? '0' : `${(part / total) * 100}%`;
}

function Port({ placed, port: { port, at, labelled } }: { placed: PlacedNode; port: PlacedPort }) {
  const { direction, editing, connected, current, selected } = useScene();
  const { node } = placed;
  const right = direction === 'right';
  const place = right ? { top: at } : { left: at };
  const open = !connected.has(`${node.key}:${port ?? ''}`);
  const isCurrent = current === node.key;
  return (
    <>
      <Handle
        id={handleOf(port)}
        type="source"
        position={right ? Position.Right : Position.Bottom}
        isConnectable={editing !== undefined}
        className={classes.outlet}
        style={place}
      />
      {(labelled || editing) && (
        <span className={classes.port} data-direction={direction} style={place}>
          {labelled && <span>{port}</span>}
          {editing && (open || port === null || isCurrent || selected === node.key) && (
            <ActionIcon
              size={18}
              radius="xl"
              variant="default"
              className="nopan nodrag"
              tabIndex={isCurrent ? 0 : -1}
              aria-label={`Add a node after ${node.name}${port === null ? '' : `, ${port}`}`}
              onClick={(event) => editing.onAdd({ kind: 'after', from: node.key, port }, event.currentTarget)}
            >
              <IconPlus size={12} aria-hidden />
            </ActionIcon>
          )}
        </span>
      )}
    </>
  );
}

function toneOf(state: NodeState | undefined): React.CSSProperties | undefined {
  if (!state?.status) return undefined;
  const { tone } = NODE[state.status];
  return { '--tone': `var(--ry-${tone})`, '--ground': `var(--ry-${tone}-ground)` } as React.CSSProperties;
}
