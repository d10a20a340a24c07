/** What the server shows once and never again: a key, a secret. It is closed on purpose only. */
import { Alert, Button, Group, Modal, Stack } from '@mantine/core';
import { IconKey } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { CopyButton } from './CopyButton';
import classes from './ShownOnce.module.css';

export function ShownOnceDialog({
  title,
  lost,
  close = 'I have stored the key',
  onClose,
  children,
}: {
  /** null: closed. */
  title: string | null;
  /** What to do if it is lost. */
  lost: ReactNode;
  close?: string;
  onClose: () => void;
  children: ReactNode;
}) {
  return (
    <Modal
      opened={title !== null}
      onClose={onClose}
      title={title}
      size="lg"
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      <Stack gap="md">
        <Alert color="yellow" variant="light" icon={<IconKey aria-hidden />} title="Shown this once">
          The server keeps only a hash of it. {lost}
        </Alert>
        {children}
        <Group justify="flex-end">
          <Button onClick={onClose}>{close}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** A text to be taken elsewhere: selected as a whole, copied by a button. */
export function Copied({ label, text }: { label: string; text: string }) {
  return (
    <div className={classes.copied}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it is read and copied by keys too */}
      <section className={classes.text} tabIndex={0} aria-label={label}>
        {text}
      </section>
      <CopyButton value={text} what={`the ${label.toLowerCase()}`} />
    </div>
  );
}
