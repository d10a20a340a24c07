/** What stands in an order is moved by buttons, or by Alt with the arrows. The focus goes along, and the new place is said. */
import { ActionIcon, Tooltip, VisuallyHidden } from '@mantine/core';
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import { type KeyboardEvent, type ReactNode, type RefObject, useRef, useState } from 'react';
import classes from './Form.module.css';

export interface Moves {
  name: string;
  first: boolean;
  last: boolean;
  move: (by: -1 | 1) => void;
}

export interface Order {
  list: RefObject<HTMLUListElement | null>;
  /** Of the one at this place; null where nothing can be moved. */
  moves: (at: number) => Moves | null;
  /** Stands somewhere beside the list. */
  told: ReactNode;
}

/** `names`: of all, as they stand; `onSwap`: the two at these places change them, `one` before `other`. */
export function useOrder(
  names: readonly string[],
  movable: boolean,
  onSwap: (one: number, other: number) => void,
): Order {
  const list = useRef<HTMLUListElement>(null);
  const [told, setTold] = useState('');
  const move = (at: number, by: -1 | 1) => {
    const to = at + by;
    if (to < 0 || to >= names.length) return;
    // each stays an element of its place: the same part of the other one is what was moved
    const part = document.activeElement?.getAttribute('data-part') ?? 'head';
    onSwap(Math.min(at, to), Math.max(at, to));
    setTold(`${names[at]} is now ${to + 1} of ${names.length}`);
    const moved = list.current?.children[to];
    moved?.querySelector<HTMLElement>(`[data-part="${part}"]`)?.focus();
    moved?.scrollIntoView({ block: 'nearest' });
  };
  return {
    list,
    moves: (at) =>
      movable && names.length > 1
        ? { name: names[at] ?? '', first: at === 0, last: at === names.length - 1, move: (by) => move(at, by) }
        : null,
    told: <VisuallyHidden role="status">{told}</VisuallyHidden>,
  };
}

const WAYS = [
  { by: -1, way: 'up', key: 'ArrowUp', Icon: IconArrowUp },
  { by: 1, way: 'down', key: 'ArrowDown', Icon: IconArrowDown },
] as const;

export function onMoveKeys(moves: Moves | null): (event: KeyboardEvent) => void {
  return (event) => {
    const found = WAYS.find(({ key }) => event.altKey && event.key === key);
    if (!found || !moves) return;
    event.preventDefault();
    moves.move(found.by);
  };
}

export function MoveButtons({ moves }: { moves: Moves }) {
  return WAYS.map(({ by, way, Icon }) => {
    // not disabled: who moves something to the end stays on the button
    const ended = by < 0 ? moves.first : moves.last;
    return (
      <Tooltip key={way} label={`Move ${way} (Alt+${by < 0 ? '↑' : '↓'})`} disabled={ended}>
        <ActionIcon
          size="sm"
          variant="subtle"
          color="gray"
          aria-label={`Move ${moves.name} ${way}`}
          aria-disabled={ended}
          className={classes.way}
          data-part={way}
          onClick={() => !ended && moves.move(by)}
        >
          <Icon size={14} aria-hidden />
        </ActionIcon>
      </Tooltip>
    );
  });
}
