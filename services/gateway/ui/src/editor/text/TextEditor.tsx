import { redo, undo } from '@codemirror/commands';
import { EditorView } from '@codemirror/view';
import { type Ref, useEffect, useImperativeHandle, useRef } from 'react';
import type { Surroundings } from '../completion/options';
import classes from '../Editor.module.css';
import type { Placed } from '../places';
import { change, editing, mark, show } from './codeMirror';

export interface TextHandle {
  change: (next: string, together?: boolean) => void;
  show: (from: number, to: number, focus?: boolean) => void;
  focus: () => void;
  undo: () => void;
  redo: () => void;
}

/** The text is the editor's own from the first on; whoever wants another text asks for the change. */
export function TextEditor({
  initial,
  format,
  readOnly,
  label,
  problems,
  known,
  onText,
  onCaret,
  onSave,
  ref,
}: {
  initial: string;
  format: 'yaml' | 'json';
  readOnly: boolean;
  label: string;
  problems: readonly Placed[];
  known: Surroundings;
  onText: (text: string) => void;
  onCaret: (offset: number) => void;
  onSave: () => void;
  ref: Ref<TextHandle>;
}) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const told = useRef({ onText, onCaret, onSave, known });
  told.current = { onText, onCaret, onSave, known };
  // biome-ignore lint/correctness/useExhaustiveDependencies: made once; the page makes another editor for another document
  useEffect(() => {
    if (place.current === null) return;
    const made = new EditorView({
      doc: initial,
      parent: place.current,
      extensions: editing(format, readOnly, label, {
        onText: (text) => told.current.onText(text),
        onCaret: (offset) => told.current.onCaret(offset),
        onSave: () => told.current.onSave(),
        known: () => told.current.known,
      }),
    });
    view.current = made;
    return () => {
      view.current = null;
      made.destroy();
    };
  }, []);
  useEffect(() => {
    if (view.current) mark(view.current, problems);
  }, [problems]);
  useImperativeHandle(ref, () => ({
    change: (next, together) => view.current && change(view.current, next, together),
    show: (from, to, focus = true) => view.current && show(view.current, from, to, focus),
    focus: () => view.current?.focus(),
    undo: () => view.current && undo(view.current),
    redo: () => view.current && redo(view.current),
  }));
  return <div ref={place} className={classes.text} />;
}
