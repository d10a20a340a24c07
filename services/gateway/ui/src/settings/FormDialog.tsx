/** A dialog that is a form: its fields, what went wrong with them, and one button that does it. */
import { Button, Group, Modal, Stack } from '@mantine/core';
import type { ReactNode } from 'react';
import { type Problem, problemOf } from '@/api/problem';
import { ProblemAlert } from '@/ui/ProblemAlert';

export function FormDialog({
  title,
  action,
  busy,
  ready = true,
  error,
  onSubmit,
  onClose,
  children,
}: {
  title: string;
  /** The verb on the button. */
  action: string;
  busy: boolean;
  /** Whether all is there that it needs. */
  ready?: boolean;
  error: unknown;
  onSubmit: () => void;
  onClose: () => void;
  children: ReactNode;
}) {
  return (
    <Modal opened onClose={onClose} title={title} size="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy && ready) onSubmit();
        }}
      >
        <Stack gap="md">
          {children}
          {error ? <ProblemAlert error={error} /> : null}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Leave it
            </Button>
            <Button type="submit" loading={busy} disabled={!ready}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** What the API says of one field of what was sent. */
export function problemAt(error: unknown, path: string): string | undefined {
  if (!error) return undefined;
  const problem: Problem = problemOf(error);
  return problem.errors.find((each) => each.path.split(/[.[]/)[0] === path)?.message;
}
