/** Asks how to cancel, and says what becomes of the jobs that run (R41, R42). */
import { Button, Group, Modal, Radio, Stack, Text, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, take } from '@/api/client';
import { useOnceKey } from '@/api/onceKey';
import { problemOf } from '@/api/problem';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { said } from '@/ui/toast';
import { useExecution, useExecutionStore, useJobs } from '../store';

export function CancelDialog({ onClose }: { onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Cancel this execution">
      <CancelForm onClose={onClose} />
    </Modal>
  );
}

function CancelForm({ onClose }: { onClose: () => void }) {
  const store = useExecutionStore();
  const detail = useExecution();
  const { list } = useJobs();
  const [reason, setReason] = useState('');
  const [force, setForce] = useState(false);
  const { keyOf, done } = useOnceKey();
  const running = list.filter((job) => job.status === 'running' || job.status === 'dispatched').length;
  const jobs = running === 1 ? 'The job that is running' : `The ${running} jobs that are running`;
  const cancel = useMutation({
    mutationFn: () =>
      take(
        api.POST('/api/v1/executions/{executionId}/cancel', {
          params: { path: { executionId: store.executionId }, header: { 'Idempotency-Key': keyOf({ reason, force }) } },
          body: { reason, force },
        }),
      ),
    // nobody knows what became of a request without an answer: it is sent again under the same key
    onError: (error) => problemOf(error).unreachable || done(),
    onSuccess: async ({ position }) => {
      onClose();
      said('Cancelled');
      await store.refresh(position);
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        cancel.mutate();
      }}
    >
      <Stack gap="md">
        <Text size="sm">
          Nothing new of {detail.workflowName} will start: jobs that wait and retries are cancelled, open approvals are
          closed.
        </Text>
        <Radio.Group
          label={running === 0 ? 'No job is running right now' : `${jobs} …`}
          value={force ? 'stop' : 'end'}
          onChange={(value) => setForce(value === 'stop')}
        >
          <Stack gap={6} mt={6}>
            <Radio
              value="end"
              label={running === 1 ? '… runs to its end' : '… run to their end'}
              description="Their results are recorded. The safe way."
            />
            <Radio
              value="stop"
              label={running === 1 ? '… is stopped on its agent' : '… are stopped on their agents'}
              description="By TERM, then KILL. What they had begun stays half done; the log says whether each was stopped."
            />
          </Stack>
        </Radio.Group>
        <Textarea
          label="Reason"
          description="For whoever reads the log"
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          maxLength={2000}
          autosize
          minRows={2}
          data-autofocus
        />
        {cancel.isError && <ProblemAlert error={cancel.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Leave it running
          </Button>
          <Button type="submit" color="red" loading={cancel.isPending}>
            Cancel the execution
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
