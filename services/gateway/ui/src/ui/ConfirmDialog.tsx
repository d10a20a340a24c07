import { Button, Group, Modal, Text } from '@mantine/core';
import type { Asked } from './confirm';

/** One for the whole app. */
export function ConfirmDialog({ question: { title, body, action, dangerous, answer } }: { question: Asked }) {
  return (
    // above drawers and dialogs, which are where most questions come from
    <Modal opened onClose={() => answer(false)} title={title} zIndex={400}>
      <Text component="div" size="sm">
        {body}
      </Text>
      <Group justify="flex-end" mt="lg">
        <Button variant="default" onClick={() => answer(false)}>
          Leave it
        </Button>
        <Button color={dangerous ? 'red' : undefined} onClick={() => answer(true)} data-autofocus>
          {action}
        </Button>
      </Group>
    </Modal>
  );
}
