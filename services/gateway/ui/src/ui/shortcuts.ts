/** Keys of the page that is shown. Not while somebody types. */
import { useEffect, useRef } from 'react';

export interface Shortcut {
  /** As in KeyboardEvent.key: `j`, `Enter`, `/`; two in a row as `g e`. */
  key: string;
  does: string;
  run: () => void;
}

const shown = new Set<readonly Shortcut[]>();
let before = '';
let beforeAt = 0;

function typing(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  return (
    target.isContentEditable ||
    ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName) ||
    target.closest('[role=dialog]') !== null
  );
}

function onKey(event: KeyboardEvent) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event)) return;
  const pair = Date.now() - beforeAt < 1000 ? `${before} ${event.key}` : '';
  before = event.key;
  beforeAt = Date.now();
  const all = [...shown].reverse().flat();
  const found = all.find((each) => each.key === pair) ?? all.find((each) => each.key === event.key);
  // a focused button or link has its own meaning of Enter and Space
  if (
    !found ||
    (['Enter', ' '].includes(event.key) &&
      event.target instanceof HTMLElement &&
      event.target.closest('a,button,[role=button]'))
  )
    return;
  event.preventDefault();
  found.run();
}

/** For as long as the component is shown. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const current = useRef(shortcuts);
  current.current = shortcuts;
  const keys = shortcuts.map((each) => `${each.key}\t${each.does}`).join('\n');
  useEffect(() => {
    const registered =
      keys === ''
        ? []
        : keys.split('\n').map((line) => {
            const [key = '', does = ''] = line.split('\t');
            return { key, does, run: () => current.current.find((each) => each.key === key)?.run() };
          });
    if (shown.size === 0) window.addEventListener('keydown', onKey);
    shown.add(registered);
    return () => {
      shown.delete(registered);
      if (shown.size === 0) window.removeEventListener('keydown', onKey);
    };
  }, [keys]);
}

/** All that there are now. */
export function shownShortcuts(): readonly Shortcut[] {
  return [...shown].flat();
}
