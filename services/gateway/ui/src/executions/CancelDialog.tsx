import { Button, Checkbox, Group, Modal, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

/** Asks why, and whether running jobs are stopped as well. */
export function CancelDialog({
  what,
  onClose,
  onCancel,
}: {
  what: string;
  onClose: () => void;
  onCancel: (reason: string, force: boolean) => void;
}) {
  const [reason, setReason] = useState('');
  const [force, setForce] = useState(false);
  return (
    <Modal opened onClose={onClose} title="Cancel executions">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onCancel(reason, force);
        }}
      >
        <Text size="sm">This cancels {what}. Jobs that wait are never sent; running jobs end by themselves.</Text>
        <TextInput
          mt="md"
          label="Reason"
          description="Stands in the log of each"
          value={reason}
          maxLength={2000}
          onChange={(event) => setReason(event.currentTarget.value)}
          data-autofocus
        />
        <Checkbox
          mt="md"
          label="Also stop running jobs on their agents"
          checked={force}
          onChange={(event) => setForce(event.currentTarget.checked)}
        />
        <Group justify="flex-end" mt="lg">
          <Button variant="default" onClick={onClose}>
            Leave them
          </Button>
          <Button color="red" type="submit">
            Cancel them
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
