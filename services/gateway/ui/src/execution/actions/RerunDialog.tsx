/** Starts the work again as a new execution (R44): all of it or from a node on, with the same or other inputs. */
import { Alert, Button, Group, Modal, Radio, Select, Stack, Text, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useNavigate } from 'react-router';
import { api, take } from '@/api/client';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { said } from '@/ui/toast';
import { useParam } from '../params';
import { useExecution, useExecutionStore } from '../store';
import { variablesOf } from '../variables';
import { useCommandKey } from './commandKey';
import { changedInputs, inputsText, parseInputs } from './inputsText';

export default function RerunDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Run this again" size="lg">
      <RerunForm onClose={onClose} />
    </Modal>
  );
}

function RerunForm({ onClose }: { onClose: () => void }) {
  const store = useExecutionStore();
  const detail = useExecution();
  const navigate = useNavigate();
  const chosen = useParam('node');
  const nodes = useMemo(() => detail.nodes.filter((node) => node.type !== 'trigger'), [detail.nodes]);
  const failed = nodes.find((node) => node.status === 'failed');
  const suggested = nodes.find((node) => node.nodeId === chosen) ?? failed;
  const [whole, setWhole] = useState(suggested === undefined);
  const [fromNode, setFromNode] = useState(suggested?.nodeId ?? null);
  const inputs = useMemo(() => variablesOf(detail).inputs, [detail]);
  const [text, setText] = useState(() => inputsText(inputs));
  const typed = useMemo(() => parseInputs(text), [text]);
  const variables = 'values' in typed ? changedInputs(inputs, typed.values) : {};
  const changes = Object.keys(variables);
  const from = whole ? null : fromNode;
  const { key, onError } = useCommandKey(JSON.stringify([from, variables]));
  const rerun = useMutation({
    mutationFn: () =>
      take(
        api.POST('/api/v1/executions/{executionId}/rerun', {
          params: { path: { executionId: store.executionId }, header: { 'Idempotency-Key': key() } },
          body: { fromNode: from, variables },
        }),
      ),
    onError,
    onSuccess: ({ executionId }) => {
      onClose();
      said('A new execution was started');
      void navigate(`/automation/executions/${executionId}`);
    },
  });
  const problems = 'problems' in typed ? typed.problems : [];
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        rerun.mutate();
      }}
    >
      <Stack gap="md">
        <Radio.Group
          label="What runs"
          value={whole ? 'whole' : 'from'}
          onChange={(value) => setWhole(value === 'whole')}
        >
          <Stack gap={6} mt={6}>
            <Radio
              value="from"
              label="From a node on"
              description={`Version ${detail.version}, as it ran; the results of what is not downstream of the node are taken over.`}
            />
            {!whole && (
              <Select
                ml={30}
                maw={360}
                aria-label="The node to begin with"
                placeholder="Choose a node"
                data={nodes.map((node) => ({
                  value: node.nodeId,
                  label: node.nodeId === failed?.nodeId ? `${node.name} (failed)` : node.name,
                }))}
                value={fromNode}
                onChange={setFromNode}
                searchable
              />
            )}
            <Radio
              value="whole"
              label="All of it"
              description="From the trigger on, with the version that is published now."
            />
          </Stack>
        </Radio.Group>
        <Textarea
          label="Inputs"
          description="As YAML or JSON, one a line. What you leave out stays as it was."
          classNames={{ input: 'mono' }}
          autosize
          minRows={3}
          maxRows={14}
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          error={
            problems[0] && `${problems[0].line === null ? '' : `Line ${problems[0].line}: `}${problems[0].message}`
          }
        />
        {changes.length > 0 && (
          <Text size="sm" c="dimmed">
            Changed: {changes.join(', ')}
          </Text>
        )}
        {rerun.isError && <ProblemAlert error={rerun.error} />}
        {detail.status === 'completed' && (
          <Alert color="gray" variant="light" p="xs">
            This execution completed: what it did will be done once more.
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Leave it
          </Button>
          <Button
            type="submit"
            loading={rerun.isPending}
            disabled={problems.length > 0 || (!whole && fromNode === null)}
          >
            Run again
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
