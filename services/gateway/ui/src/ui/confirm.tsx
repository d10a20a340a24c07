/** Asks before something that cannot be taken back: `if (await confirm({...})) …`. One dialog for the whole app. */
import { Button, Group, Modal, Text } from '@mantine/core';
import { type ReactNode, useSyncExternalStore } from 'react';

interface Question {
  title: string;
  body: ReactNode;
  /** The verb on the button: what will be done. */
  action: string;
  dangerous?: boolean;
}

let asked: (Question & { answer: (yes: boolean) => void }) | null = null;
const listeners = new Set<() => void>();

function show(next: typeof asked) {
  asked = next;
  for (const each of listeners) each();
}

export function confirm(question: Question): Promise<boolean> {
  asked?.answer(false);
  return new Promise((resolve) =>
    show({
      ...question,
      answer: (yes) => {
        show(null);
        resolve(yes);
      },
    }),
  );
}

export function ConfirmDialog() {
  const question = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => asked,
  );
  return (
    // above drawers and dialogs, which are where most questions come from
    <Modal opened={question !== null} onClose={() => question?.answer(false)} title={question?.title} zIndex={400}>
      {question && (
        <>
          <Text component="div" size="sm">
            {question.body}
          </Text>
          <Group justify="flex-end" mt="lg">
            <Button variant="default" onClick={() => question.answer(false)}>
              Leave it
            </Button>
            <Button color={question.dangerous ? 'red' : undefined} onClick={() => question.answer(true)} data-autofocus>
              {question.action}
            </Button>
          </Group>
        </>
      )}
    </Modal>
  );
}
