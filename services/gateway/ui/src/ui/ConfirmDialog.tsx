import { Button, Group, Modal, Text } from '@mantine/core';
import { useQuestion } from './confirm';

/** One for the whole app. */
export function ConfirmDialog() {
  const question = useQuestion();
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
