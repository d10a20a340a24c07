import { ActionIcon } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { EdgeLabelRenderer, type EdgeProps } from '@xyflow/react';
import { memo } from 'react';
import { useScene } from './context';
import type { PlacedFlowEdge } from './flow';
import classes from './WorkflowGraph.module.css';

export const EdgePath = memo(function EdgePath({ data }: EdgeProps<PlacedFlowEdge>) {
  const { edgeStates, direction, editing, selected } = useScene();
  if (data === undefined) return null;
  const { key, path, end, middle } = data.placed;
  const state = edgeStates?.get(key) ?? 'pending';
  const isSelected = selected === key;
  const arrow =
    direction === 'right'
      ? `M${end.x - 7},${end.y - 4}L${end.x},${end.y}L${end.x - 7},${end.y + 4}z`
      : `M${end.x - 4},${end.y - 7}L${end.x},${end.y}L${end.x + 4},${end.y - 7}z`;
  return (
    <>
      <g className={classes.edge} data-state={editing ? 'editing' : state} data-selected={isSelected}>
        {editing && <path d={path} className={classes.reach} />}
        <path d={path} className={classes.line} />
        <path d={arrow} className={classes.arrow} />
      </g>
      {editing && isSelected && (
        <EdgeLabelRenderer>
          <ActionIcon
            size={20}
            radius="xl"
            variant="default"
            className={`${classes.onEdge} nopan nodrag`}
            style={{ transform: `translate(-50%, -50%) translate(${middle.x}px, ${middle.y}px)` }}
            aria-label="Add a node here"
            onClick={(event) => editing.onAdd({ kind: 'edge', edge: key }, event.currentTarget)}
          >
            <IconPlus size={13} aria-hidden />
          </ActionIcon>
        </EdgeLabelRenderer>
      )}
    </>
  );
});
