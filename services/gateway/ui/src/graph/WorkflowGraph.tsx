/**
 * A graph, drawn: of an execution with the state of everything, or of a document that is edited.
 *
 * Nodes are buttons: one stop of the Tab key, arrow keys go from one to the next. Everything is placed by `layoutOf` for the model
 * alone, so nothing moves when states change; the view moves only when somebody moves it, or what is selected is out of sight.
 */
import '@xyflow/react/dist/base.css';
import { useElementSize } from '@mantine/hooks';
import { ReactFlowProvider } from '@xyflow/react';
import { useCallback, useMemo, useRef, useState } from 'react';
import { Drawing, TOOLS } from './Drawing';
import { GraphList } from './GraphList';
import { directionFor, layoutOf } from './layout';
import type { WorkflowGraphProps } from './props';
import classes from './WorkflowGraph.module.css';

const NARROW = 560;

export function WorkflowGraph(props: WorkflowGraphProps) {
  const { model, label, states, editing } = props;
  const { ref, width, height: whole } = useElementSize();
  const height = Math.max(whole - TOOLS, 0);
  const [listed, setListed] = useState(false);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const allPorts = editing !== undefined;
  const withStates = states !== undefined;
  // The direction is chosen for the room there is at first, and again when that gets narrow or wide: not while a window is dragged.
  const room = useRef({ width: 0, height: 0 });
  if (width > 0 && (room.current.width === 0 || width < NARROW !== room.current.width < NARROW))
    room.current = { width, height };
  const { width: forWidth, height: forHeight } = room.current;
  const layout = useMemo(() => {
    const options = { folded, allPorts, withStates };
    return layoutOf(model, { ...options, direction: directionFor(model, options, forWidth, forHeight) });
  }, [model, folded, allPorts, withStates, forWidth, forHeight]);
  const fold = useCallback(
    (key: string) =>
      setFolded((before) => {
        const after = new Set(before);
        if (!after.delete(key)) after.add(key);
        return after;
      }),
    [],
  );
  return (
    <section ref={ref} className={classes.graph} aria-label={label}>
      {listed ? (
        <GraphList {...props} onClose={() => setListed(false)} />
      ) : (
        width > 0 && (
          <ReactFlowProvider>
            <Drawing
              {...props}
              layout={layout}
              width={width}
              height={height}
              onFold={fold}
              onList={() => setListed(true)}
            />
          </ReactFlowProvider>
        )
      )}
    </section>
  );
}
