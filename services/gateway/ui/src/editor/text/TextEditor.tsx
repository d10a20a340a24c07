import { redo, undo } from '@codemirror/commands';
import type { EditorState } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { type Ref, type RefObject, useEffect, useImperativeHandle, useRef } from 'react';
import type { Surroundings } from '../completion/options';
import classes from '../Editor.module.css';
import type { Placed } from '../places';
import { change, editing, mark, show, type Told } from './codeMirror';

export interface TextHandle {
  change: (next: string, together?: boolean) => void;
  show: (from: number, to: number, focus?: boolean) => void;
  focus: () => void;
  undo: () => void;
  redo: () => void;
}

/** What outlives the view when the page gets another layout: the text with its history and caret, and whom it tells. */
export interface Memory {
  state: EditorState | null;
  told: Told | null;
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
  memory,
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
  memory: RefObject<Memory>;
  ref: Ref<TextHandle>;
}) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  memory.current.told = { onText, onCaret, onSave, known: () => known };
  // biome-ignore lint/correctness/useExhaustiveDependencies: made once; the page makes another editor for another document
  useEffect(() => {
    if (place.current === null) return;
    const { state } = memory.current;
    const made = new EditorView({
      parent: place.current,
      ...(state ? { state } : { doc: initial, extensions: editing(format, readOnly, label, memory.current) }),
    });
    view.current = made;
    return () => {
      view.current = null;
      memory.current.state = made.state;
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
