import { createContext, useContext } from 'react';
import type { Direction } from './layout';
import type { EdgeState, Editing, NodeState } from './props';

/** What nodes and edges need beside their place: handed around React Flow, so that a state that changes makes no new nodes. */
export interface GraphScene {
  direction: Direction;
  selected: string | null;
  /** The node that the Tab key stops at. */
  current: string;
  states: ReadonlyMap<string, NodeState> | undefined;
  edgeStates: ReadonlyMap<string, EdgeState> | undefined;
  editing: Editing | undefined;
  connected: ReadonlySet<string>;
  onSelect: (key: string | null) => void;
  onFold: (key: string) => void;
}

export const GraphContext = createContext<GraphScene | null>(null);

export function useScene(): GraphScene {
  const scene = useContext(GraphContext);
  if (scene === null) throw new Error('used outside of a graph');
  return scene;
}
