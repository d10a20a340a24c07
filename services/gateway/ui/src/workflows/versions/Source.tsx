/** Text that is read, and two texts beside each other. Loaded when it is first shown: CodeMirror is heavy. */
import { json } from '@codemirror/lang-json';
import { yaml } from '@codemirror/lang-yaml';
import { MergeView, unifiedMergeView } from '@codemirror/merge';
import { search, searchKeymap } from '@codemirror/search';
import { EditorState, type Extension } from '@codemirror/state';
import { EditorView, keymap, lineNumbers } from '@codemirror/view';
import { useEffect, useRef } from 'react';
import { look } from '@/ui/code/look';
import classes from './Source.module.css';

export interface Text {
  text: string;
  format: 'yaml' | 'json';
  /** What it is, for whoever cannot see it. */
  label: string;
}

function reading({ format, label }: Text): Extension {
  return [
    EditorState.readOnly.of(true),
    EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
    EditorView.editable.of(false),
    lineNumbers(),
    format === 'yaml' ? yaml() : json(),
    search({ top: true }),
    keymap.of(searchKeymap),
    look,
  ];
}

export function Source(shown: Text) {
  const { text, format, label } = shown;
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (place.current === null) return;
    const view = new EditorView({ doc: text, extensions: reading({ text, format, label }), parent: place.current });
    return () => view.destroy();
  }, [text, format, label]);
  return <div ref={place} className={classes.source} />;
}

const COLLAPSE = { margin: 4, minSize: 8 };

/** `narrow`: one below the other, as in a patch. */
export function SideBySide({ before, after, narrow }: { before: Text; after: Text; narrow: boolean }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (place.current === null) return;
    const parent = place.current;
    if (narrow) {
      const view = new EditorView({
        doc: after.text,
        parent,
        extensions: [
          reading(after),
          unifiedMergeView({ original: before.text, mergeControls: false, collapseUnchanged: COLLAPSE }),
        ],
      });
      return () => view.destroy();
    }
    const view = new MergeView({
      a: { doc: before.text, extensions: reading(before) },
      b: { doc: after.text, extensions: reading(after) },
      parent,
      collapseUnchanged: COLLAPSE,
      gutter: true,
    });
    return () => view.destroy();
  }, [before, after, narrow]);
  return <div ref={place} className={classes.merge} />;
}
