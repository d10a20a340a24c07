/**
 * Graphs of workflows. The drawing is loaded when it is first shown (React Flow and dagre are some 80 KiB):
 *
 *   <LazyWorkflowGraph model={graphOfDocument(document)} label="Graph of Disk cleanup" selected={key} onSelect={select} />
 *
 * It fills the element around it, which needs a height.
 */
import { lazy } from 'react';

export { graphOfDocument } from './document';
export { allNodes, aroundOf, type GraphModel, type GraphNode, idOf, portsOf } from './model';
export { lookOf, NODE_TYPES } from './nodeTypes';
export type { Connection, EdgeState, Editing, NodeState, Place, WorkflowGraphProps } from './props';

export const LazyWorkflowGraph = lazy(async () => ({ default: (await import('./WorkflowGraph')).WorkflowGraph }));
export const LazyExecutionGraph = lazy(async () => ({ default: (await import('./ExecutionGraph')).ExecutionGraph }));
