import type { Edge, Node } from '@xyflow/react';
import type { PlacedEdge, PlacedNode } from './layout';

export type PlacedFlowNode = Node<{ placed: PlacedNode }, 'card'>;
export type PlacedFlowEdge = Edge<{ placed: PlacedEdge }, 'path'>;
