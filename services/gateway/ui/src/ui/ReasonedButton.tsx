import { Button, type ButtonProps, Tooltip } from '@mantine/core';
import type { MouseEventHandler, ReactNode } from 'react';

/**
 * A button that says why it cannot be used: with `reason` it is disabled, but is still reached by keys and tells the reason to
 * whoever points at it or hears it.
 */
export function ReasonedButton({
  reason,
  onClick,
  children,
  ...button
}: Omit<ButtonProps, 'disabled'> & {
  reason: string | null;
  onClick: MouseEventHandler<HTMLButtonElement>;
  children: ReactNode;
  'aria-label'?: string;
}) {
  if (reason === null) {
    return (
      <Button {...button} onClick={onClick}>
        {children}
      </Button>
    );
  }
  return (
    <Tooltip label={reason} openDelay={0} multiline maw={320}>
      <Button {...button} data-disabled aria-disabled onClick={(event) => event.preventDefault()}>
        {children}
        <span className="visually-hidden">: {reason}</span>
      </Button>
    </Tooltip>
  );
}
