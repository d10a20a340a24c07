/** Changes that come from the graph, the form and the menu of what can be added: each is a change of the text. */
import { type RefObject, useCallback, useMemo, useRef, useState } from 'react';
import { aroundOf, type Editing, type GraphModel, graphOfDocument, idOf, type Place } from '@/graph';
import { failed, said } from '@/ui/toast';
import type { Choice } from './AddMenu';
import { addAfter, addInto, addNode, connect, disconnect, nodePath, removeNode } from './edits';
import { newNode } from './newNodes';
import { parsed as parse } from './text/parsed';
import { CannotEdit } from './text/splice';
import type { TextHandle } from './text/TextEditor';

export interface Changes {
  /** `together`: typing, which is undone together. */
  edit: (change: (text: string) => string, together?: boolean) => void;
  onGraph: Editing;
  /** What is to be added is being chosen, for this place. */
  adding: Place | null;
  setAdding: (place: Place | null) => void;
  /** Where one adds when this is selected. */
  placeFor: (selected: string | null) => Place;
  add: (place: Place, choice: Choice) => void;
  /** It was just added, which is told once. */
  isNew: (key: string) => boolean;
}

const AFTER_TRIGGER: Place = { kind: 'after', from: 'trigger', port: null };

export function useChanges(
  editor: RefObject<TextHandle | null>,
  current: RefObject<string>,
  onEdited: (text: string) => void,
  /** What the last text that is YAML means. */
  value: unknown,
  model: GraphModel,
  problems: ReadonlyMap<string, number>,
  onSelect: (key: string | null) => void,
): Changes {
  const [adding, setAdding] = useState<Place | null>(null);
  const added = useRef<string | null>(null);
  const isEmpty = model.nodes.length === 1;
  const edit = useCallback(
    (change: (text: string) => string, together = false) => {
      try {
        const next = change(current.current);
        current.current = next;
        onEdited(next);
        editor.current?.change(next, together);
      } catch (trouble) {
        if (!(trouble instanceof CannotEdit)) throw trouble;
        failed('That was not changed', trouble);
      }
    },
    [editor, current, onEdited],
  );
  const removed = useCallback(
    (what: string) => {
      onSelect(null);
      said(`${what} was deleted. Ctrl+Z brings it back.`);
      // what had the focus is gone
      requestAnimationFrame(() => {
        if (document.activeElement === document.body)
          document.querySelector<HTMLElement>('[data-node][tabindex="0"]')?.focus({ preventScroll: true });
      });
    },
    [onSelect],
  );
  const onGraph = useMemo(
    (): Editing => ({
      onConnect: (connection) => edit((now) => connect(now, connection)),
      onDelete: ({ nodes, edges }) => {
        edit((now) => {
          const withoutEdges = edges.reduce(
            (each, key) => disconnect(each, graphOfDocument(parse(each).value), key),
            now,
          );
          return nodes.reduce(removeNode, withoutEdges);
        });
        removed([...nodes.map(idOf), ...edges.map(() => 'The edge')].join(', '));
      },
      // the first node follows the trigger: what else
      onAdd: (place) => setAdding(isEmpty && place.kind === 'within' ? AFTER_TRIGGER : place),
      problems,
    }),
    [edit, problems, removed, isEmpty],
  );
  const add = (place: Place, choice: Choice) => {
    setAdding(null);
    if (choice.kind === 'connect') {
      if (place.kind === 'after') edit((now) => connect(now, { from: place.from, port: place.port, to: choice.to }));
      return;
    }
    const node = newNode(
      value,
      choice.kind === 'type' ? choice.type : 'action',
      choice.kind === 'action' ? choice.action : undefined,
    );
    edit((now) => {
      if (place.kind === 'after') return addAfter(now, place.from, place.port, node);
      if (place.kind === 'edge') return addInto(now, model, place.edge, node);
      return addNode(now, place.around, node);
    });
    const around = place.kind === 'within' ? place.around : aroundOf(sourceOf(place));
    added.current = around === null ? node.id : `${around}/${node.id}`;
    onSelect(added.current);
  };
  const isNew = (key: string) => {
    const is = added.current === key;
    if (is) added.current = null;
    return is;
  };
  const placeFor = (key: string | null): Place => {
    const node = key === null ? null : nodePath(value, key);
    if (key === 'trigger' || (key === null && isEmpty)) return AFTER_TRIGGER;
    if (key === null || node === null) return { kind: 'within', around: null };
    const port = model.nodes.find((each) => each.key === key)?.ports[0] ?? null;
    return { kind: 'after', from: key, port };
  };
  return { edit, onGraph, adding, setAdding, placeFor, add, isNew };
}

/** The key of an edge is `from:port→to`. */
function sourceOf(place: Exclude<Place, { kind: 'within' }>): string {
  return place.kind === 'after' ? place.from : place.edge.slice(0, place.edge.indexOf(':'));
}
