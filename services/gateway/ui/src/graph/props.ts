/** What the drawing of a graph is given, and what it tells. */
import type { NodeStatus } from '@/api/types';
import type { GraphModel } from './model';

/** What is known of a node that runs or ran. */
export interface NodeState {
  /** null: a node of a body, of which no one iteration is chosen. */
  status: NodeStatus | null;
  startedAt: string | null;
  finishedAt: string | null;
  progress: { total: number; completed: number; failed: number; cancelled: number; running: number } | null;
}

export type EdgeState = 'pending' | 'skipped' | 'taken';

/** Where something new is to go. */
export type Place =
  /** Behind a node, connected to this port of it (null: a node whose edges are all taken). */
  | { kind: 'after'; from: string; port: string | null }
  /** Into an edge, by its key. */
  | { kind: 'edge'; edge: string }
  /** On this level, not connected: the key of a forEach, or null. */
  | { kind: 'within'; around: string | null };

export interface Connection {
  from: string;
  port: string | null;
  to: string;
}

/** For an editor. The graph changes nothing by itself: the next `model` shows what came of it. */
export interface Editing {
  /** An edge was drawn; only ones that stay on their level and close no circle, and none that is there. */
  onConnect: (connection: Connection) => void;
  /** Keys. The implicit sources are never among the nodes. */
  onDelete: (what: { nodes: readonly string[]; edges: readonly string[] }) => void;
  /** The + of a port, of an edge or of a body was chosen; `at` is the button, for a menu to open at. */
  onAdd: (place: Place, at: HTMLElement) => void;
  /** How many problems a node has, by key: marked on it. */
  problems?: ReadonlyMap<string, number>;
}

export interface WorkflowGraphProps {
  model: GraphModel;
  /** Names the region for whoever cannot see it. */
  label: string;
  /** The key of the node that is selected elsewhere too (`?node=`), or of an edge. */
  selected: string | null;
  /** null: what was selected is not any more. */
  onSelect: (key: string | null) => void;
  /** By key; absent in an editor. */
  states?: ReadonlyMap<string, NodeState>;
  edgeStates?: ReadonlyMap<string, EdgeState>;
  editing?: Editing;
}
