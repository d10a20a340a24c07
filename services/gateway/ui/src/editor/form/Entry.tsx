/** One of a list in a form: a line that says what it is, and its fields below it when it is opened. */
import { ActionIcon, Collapse, Tooltip, UnstyledButton } from '@mantine/core';
import { IconChevronDown, IconChevronRight, IconX } from '@tabler/icons-react';
import { type ReactNode, useEffect, useId, useRef } from 'react';
import classes from './Form.module.css';
import { MoveButtons, type Moves, onMoveKeys } from './Order';

export function Entry({
  title,
  summary,
  wrong,
  opened,
  onToggle,
  removal,
  onRemove,
  moves,
  isNew,
  children,
}: {
  title: ReactNode;
  summary: ReactNode;
  /** There is a problem in it. */
  wrong: boolean;
  opened: boolean;
  onToggle: () => void;
  /** What its removal is called; null if it may not be removed. */
  removal: string | null;
  onRemove: () => void;
  /** Null if its place does not matter or cannot be changed. */
  moves: Moves | null;
  /** It was just added: its first field takes the focus. */
  isNew: boolean;
  children: ReactNode;
}) {
  const id = useId();
  const item = useRef<HTMLLIElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it is shown first
  useEffect(() => {
    if (!isNew) return;
    const first = item.current?.querySelector<HTMLInputElement>('input:not([type="hidden"]), textarea');
    first?.focus({ preventScroll: true });
    first?.select();
    item.current?.scrollIntoView({ block: 'nearest' });
  }, []);
  const Chevron = opened ? IconChevronDown : IconChevronRight;
  return (
    <li ref={item} className={classes.entry} data-wrong={wrong}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the keys are those of the buttons in it */}
      <div className={classes.entryHead} onKeyDown={onMoveKeys(moves)}>
        <UnstyledButton
          className={classes.entryToggle}
          aria-expanded={opened}
          aria-controls={id}
          data-part="head"
          onClick={onToggle}
        >
          <Chevron size={15} aria-hidden />
          <span className={classes.entryTitle}>{title}</span>
          <span className={classes.entrySummary}>{summary}</span>
        </UnstyledButton>
        {moves && <MoveButtons moves={moves} />}
        {removal !== null && (
          <Tooltip label="Remove">
            <ActionIcon variant="subtle" color="gray" aria-label={removal} onClick={onRemove}>
              <IconX size={15} aria-hidden />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      <Collapse id={id} expanded={opened}>
        {opened && <div className={classes.entryBody}>{children}</div>}
      </Collapse>
    </li>
  );
}
