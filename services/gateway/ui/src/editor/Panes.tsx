/** Text, graph and form side by side; on a narrow screen one at a time. None of them is taken down by looking at another. */
import { SegmentedControl, Splitter } from '@mantine/core';
import { type ReactNode, useLayoutEffect, useRef } from 'react';
import classes from './Editor.module.css';

export type View = 'text' | 'graph' | 'form';

export function Panes({
  narrow,
  view,
  onView,
  problems,
  text,
  graph,
  form,
}: {
  narrow: boolean;
  /** The one that a narrow screen shows. */
  view: View;
  onView: (view: View) => void;
  problems: number;
  text: ReactNode;
  graph: ReactNode;
  form: ReactNode;
}) {
  const bench = useRef<HTMLDivElement>(null);
  // the height that is left below the head, which may have one line or more
  useLayoutEffect(() => {
    const measure = () => {
      const place = bench.current;
      place?.style.setProperty('--top', `${Math.round(place.getBoundingClientRect().top + window.scrollY)}px`);
    };
    measure();
    window.addEventListener('resize', measure);
    return () => window.removeEventListener('resize', measure);
  });
  const only = (each: View, content: ReactNode) => (
    <div className={classes.only} hidden={view !== each}>
      {content}
    </div>
  );
  if (narrow)
    return (
      <>
        <SegmentedControl
          fullWidth
          mb="xs"
          value={view}
          onChange={onView}
          aria-label="What is shown"
          data={[
            { value: 'text', label: problems > 0 ? `Text (${problems})` : 'Text' },
            { value: 'graph', label: 'Graph' },
            { value: 'form', label: 'Form' },
          ]}
        />
        <div ref={bench} className={classes.bench}>
          {only('text', text)}
          {only('graph', graph)}
          {only('form', form)}
        </div>
      </>
    );
  return (
    <Splitter ref={bench} className={classes.bench} lineSize={1} handleColor="var(--ry-line-strong)">
      <Splitter.Pane defaultSize={48} min={20}>
        {text}
      </Splitter.Pane>
      <Splitter.Pane defaultSize={52} min={20}>
        <Splitter orientation="vertical" h="100%" lineSize={1} handleColor="var(--ry-line-strong)">
          <Splitter.Pane defaultSize={52} min={15}>
            {graph}
          </Splitter.Pane>
          <Splitter.Pane defaultSize={48} min={15}>
            {form}
          </Splitter.Pane>
        </Splitter>
      </Splitter.Pane>
    </Splitter>
  );
}
