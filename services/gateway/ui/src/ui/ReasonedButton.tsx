import { Button, type ButtonProps, Tooltip } from '@mantine/core';
import { type MouseEventHandler, type ReactNode, useId } from 'react';

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
  const id = useId();
  if (reason === null) {
    return (
      <Button {...button} onClick={onClick}>
        {children}
      </Button>
    );
  }
  return (
    <>
      <Tooltip label={reason} openDelay={0} multiline maw={320}>
        <Button
          {...button}
          data-disabled
          aria-disabled
          aria-describedby={id}
          onClick={(event) => event.preventDefault()}
        >
          {children}
        </Button>
      </Tooltip>
      <span id={id} className="visually-hidden">
        {reason}
      </span>
    </>
  );
}
