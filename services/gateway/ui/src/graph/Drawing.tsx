import { ActionIcon, Tooltip } from '@mantine/core';
import { useReducedMotion } from '@mantine/hooks';
import {
  IconCircleDashedPlus,
  IconListDetails,
  IconMaximize,
  IconMinus,
  IconPlus,
  type TablerIcon,
} from '@tabler/icons-react';
import { type Connection as FlowConnection, MiniMap, ReactFlow, useReactFlow } from '@xyflow/react';
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import { NODE } from '@/theme/status';
import { GraphContext, type GraphScene } from './context';
import { EdgePath } from './EdgePath';
import type { PlacedFlowEdge, PlacedFlowNode } from './flow';
import { type Layout, neighbour, type PlacedNode } from './layout';
import { aroundOf, closesCircle, type GraphModel, ITEM, idOf, TRIGGER } from './model';
import { NodeCard } from './NodeCard';
import { portOf } from './ports';
import type { Connection, WorkflowGraphProps } from './props';
import { firstView, isInView, isLegible, showsSomething, viewOfAll } from './viewport';
import classes from './WorkflowGraph.module.css';

const nodeTypes = { card: NodeCard };
const edgeTypes = { path: EdgePath };
const MANY = 200;
/** The height of what is above the canvas. */
export const TOOLS = 40;
const MAP = { width: 220, height: 32 };
const ARROWS: Readonly<Record<string, 'left' | 'right' | 'up' | 'down'>> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
};
const NO_EDGES: ReadonlySet<string> = new Set();

export function Drawing({
  model,
  label,
  selected,
  onSelect,
  states,
  edgeStates,
  editing,
  layout,
  width,
  height,
  onFold,
  onList,
}: WorkflowGraphProps & {
  layout: Layout;
  width: number;
  height: number;
  onFold: (key: string) => void;
  onList: () => void;
}) {
  const flow = useReactFlow<PlacedFlowNode, PlacedFlowEdge>();
  const [focused, setFocused] = useState<string | null>(null);
  const byKey = useMemo(() => new Map(layout.nodes.map((each) => [each.node.key, each])), [layout]);
  const current = [focused, selected].find((key) => key !== null && byKey.has(key)) ?? layout.nodes[0]?.node.key ?? '';
  const duration = useReducedMotion() ? 0 : 160;

  // as states come and go the first view stays what it was
  const focus = useRef<PlacedNode | undefined>(undefined);
  focus.current ??= interesting(layout, selected, states);
  const [defaultViewport] = useState(() => firstView(layout, width, height, focus.current));
  const moved = useRef(false);
  const allPorts = editing !== undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another layout or size is what this is for
  useEffect(() => {
    if (moved.current) return;
    // of a graph that is edited and larger than its room the part stays that one works at
    if (allPorts && !isLegible(layout, width, height) && showsSomething(layout, flow.getViewport(), width, height)) {
      if (selected !== null) see(selected);
    } else flow.setViewport(firstView(layout, width, height, focus.current && byKey.get(focus.current.node.key)));
  }, [layout, width, height]);

  const see = (key: string) => {
    const placed = byKey.get(key);
    const view = flow.getViewport();
    if (!placed || isInView(placed, layout, view, width, height)) return;
    const zoom = Math.max(view.zoom, 0.62);
    flow.setCenter(placed.x + Math.min(placed.width, 320) / 2, placed.y + Math.min(placed.height, 120) / 2, {
      zoom,
      duration,
    });
  };
  const isThere = selected !== null && byKey.has(selected);
  // biome-ignore lint/correctness/useExhaustiveDependencies: when another node is selected, here or elsewhere, or a new one is drawn
  useEffect(() => {
    if (selected !== null) see(selected);
  }, [selected, isThere]);

  const nodes = useMemo(
    (): PlacedFlowNode[] =>
      layout.nodes.map((placed) => ({
        id: placed.node.key,
        type: 'card',
        position: { x: placed.x, y: placed.y },
        width: placed.width,
        height: placed.height,
        zIndex: placed.depth * 2 + 1,
        data: { placed },
      })),
    [layout],
  );
  const edges = useMemo(
    (): PlacedFlowEdge[] =>
      layout.edges.map((placed) => ({
        id: placed.key,
        type: 'path',
        source: placed.from,
        sourceHandle: placed.port === null ? '*' : `=${placed.port}`,
        target: placed.to,
        zIndex: placed.depth * 2,
        data: { placed },
        domAttributes: { 'aria-hidden': true },
      })),
    [layout],
  );
  const connected = useMemo(
    () => (allPorts ? new Set(layout.edges.map((edge) => `${edge.from}:${edge.port ?? ''}`)) : NO_EDGES),
    [layout, allPorts],
  );
  const scene = useMemo(
    (): GraphScene => ({
      direction: layout.direction,
      selected,
      current,
      states,
      edgeStates,
      editing,
      connected,
      onSelect,
      onFold,
    }),
    [layout.direction, selected, current, states, edgeStates, editing, connected, onSelect, onFold],
  );

  const root = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const key = (event.target as HTMLElement).dataset.node;
    if (key === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow !== undefined) {
      event.preventDefault();
      const next = neighbour(layout, key, arrow);
      setFocused(next);
      see(next);
      root.current?.querySelector<HTMLElement>(`[data-node="${CSS.escape(next)}"]`)?.focus({ preventScroll: true });
    } else if (editing && (event.key === 'Delete' || event.key === 'Backspace')) {
      event.preventDefault();
      if (isRemovable(key)) editing.onDelete({ nodes: [key], edges: [] });
    } else if (event.key === 'Escape' && selected !== null) {
      onSelect(null);
    }
  };
  const deleteEdge = (event: KeyboardEvent<HTMLElement>) => {
    if (!editing || selected === null || !['Delete', 'Backspace'].includes(event.key)) return;
    if (model.edges.some((edge) => edge.key === selected) || layout.edges.some((edge) => edge.key === selected)) {
      event.preventDefault();
      editing.onDelete({ nodes: [], edges: [selected] });
    }
  };

  return (
    <GraphContext value={scene}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: keys of the buttons within */}
      <div
        ref={root}
        className={classes.drawing}
        onKeyDown={(event) => {
          onKeyDown(event);
          if (!event.defaultPrevented) deleteEdge(event);
        }}
        onFocus={(event) => {
          const key = (event.target as HTMLElement).dataset.node;
          if (key === undefined) return;
          setFocused(key);
          if (event.target.matches(':focus-visible')) see(key);
        }}
      >
        <div className={classes.canvas}>
          <ReactFlow<PlacedFlowNode, PlacedFlowEdge>
            nodes={nodes}
            edges={edges}
            nodeTypes={nodeTypes}
            edgeTypes={edgeTypes}
            defaultViewport={defaultViewport}
            minZoom={0.05}
            maxZoom={1.6}
            nodesDraggable={false}
            nodesFocusable={false}
            edgesFocusable={false}
            elementsSelectable={false}
            nodesConnectable={allPorts}
            deleteKeyCode={null}
            selectionKeyCode={null}
            disableKeyboardA11y
            // the wheel belongs to the page, unless the graph is what the page is for; with Ctrl it always zooms
            zoomOnScroll={allPorts}
            preventScrolling={allPorts}
            zoomOnDoubleClick={false}
            zoomActivationKeyCode="Control"
            onlyRenderVisibleElements={layout.nodes.length > MANY}
            onMoveStart={(event) => {
              if (event !== null) moved.current = true;
            }}
            onPaneClick={() => onSelect(null)}
            onEdgeClick={allPorts ? (_event, edge) => onSelect(edge.id) : undefined}
            isValidConnection={(edge) => connectionOf(model, edge) !== null}
            onConnect={(edge) => {
              const connection = connectionOf(model, edge);
              if (connection !== null) editing?.onConnect(connection);
            }}
            aria-label={label}
          />
        </div>
        {/* beside the canvas, not on it: what lies over a node hides it */}
        <div className={classes.tools}>
          {width >= 700 && !isLegible(layout, width, height) && (
            <MiniMap<PlacedFlowNode>
              className={classes.map}
              ariaLabel={null}
              pannable
              zoomable={false}
              nodeColor={(node) => colourOf(node, states)}
              nodeBorderRadius={12}
              maskColor="var(--ry-mask)"
              style={MAP}
            />
          )}
          <div className={classes.controls}>
            {editing && (
              <Control
                label="Add a node"
                icon={IconCircleDashedPlus}
                onClick={(event) => editing.onAdd({ kind: 'within', around: null }, event.currentTarget)}
              />
            )}
            <Control label="Show as a list" icon={IconListDetails} onClick={onList} />
            <Control label="Smaller" icon={IconMinus} onClick={() => move(() => flow.zoomOut({ duration }))} />
            <Control label="Larger" icon={IconPlus} onClick={() => move(() => flow.zoomIn({ duration }))} />
            <Control
              label="All of it"
              icon={IconMaximize}
              onClick={() => move(() => flow.setViewport(viewOfAll(layout, width, height), { duration }))}
            />
          </div>
        </div>
      </div>
    </GraphContext>
  );

  function move(how: () => void) {
    moved.current = true;
    how();
  }
}

function Control({
  label,
  icon: Icon,
  onClick,
}: {
  label: string;
  icon: TablerIcon;
  onClick: React.MouseEventHandler<HTMLButtonElement>;
}) {
  return (
    <Tooltip label={label}>
      <ActionIcon variant="default" size={26} onClick={onClick} aria-label={label}>
        <Icon size={15} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}

/** Where to look first in a graph that is too large to be read as a whole: what is selected, runs, waits or failed. */
function interesting(
  layout: Layout,
  selected: string | null,
  states: WorkflowGraphProps['states'],
): PlacedNode | undefined {
  const chosen = layout.nodes.find((each) => each.node.key === selected);
  if (chosen) return chosen;
  for (const status of ['running', 'waiting', 'failed'] as const) {
    const found = layout.nodes.find((each) => states?.get(each.node.key)?.status === status);
    if (found) return found;
  }
  return layout.nodes[0];
}

function colourOf({ id, data }: PlacedFlowNode, states: WorkflowGraphProps['states']): string {
  if (data.placed.unfolded) return 'var(--ry-sunken)';
  const status = states?.get(id)?.status;
  return status && status !== 'pending' && status !== 'skipped'
    ? `var(--ry-${NODE[status].tone})`
    : 'var(--ry-line-strong)';
}

function isRemovable(key: string): boolean {
  const id = idOf(key);
  return id !== TRIGGER && id !== ITEM;
}

/** What was drawn, if it may be: on one level, closing no circle, and not there yet. */
function connectionOf(
  model: GraphModel,
  { source, target, sourceHandle }: Pick<FlowConnection, 'source' | 'target'> & { sourceHandle?: string | null },
): Connection | null {
  const around = aroundOf(source);
  if (aroundOf(target) !== around || source === target) return null;
  const level = around === null ? model : levelAround(model, around);
  const port = portOf(sourceHandle);
  if (level === null || closesCircle(level, source, target)) return null;
  if (level.edges.some((edge) => edge.from === source && edge.port === port && edge.to === target)) return null;
  return { from: source, port, to: target };
}

function levelAround(model: GraphModel, around: string): GraphModel | null {
  for (const node of model.nodes) {
    if (node.key === around) return node.body;
    if (node.body && around.startsWith(`${node.key}/`)) return levelAround(node.body, around);
  }
  return null;
}
