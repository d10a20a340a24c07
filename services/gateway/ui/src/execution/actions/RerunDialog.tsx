/** Starts the work again as a new execution (R44): all of it or from a node on, with the same or other inputs. */
import { Alert, Button, Divider, Group, Loader, Modal, Radio, Select, Stack } from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Suspense, useMemo, useState } from 'react';
import { useNavigate } from 'react-router';
import { api, take } from '@/api/client';
import { useOnceKey } from '@/api/onceKey';
import { type Problem, problemOf } from '@/api/problem';
import { lazyPart } from '@/ui/lazyPart';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useParam } from '@/ui/params';
import type { JsonSchema } from '@/ui/schemaForm/schema';
import { said } from '@/ui/toast';
import { versionQuery, workflowQuery } from '@/workflows/queries';
import { useExecution, useExecutionStore } from '../store';
import { variablesOf } from '../variables';
import { changedInputs } from './changedInputs';

const RunForm = lazyPart(async () => (await import('@/workflows/run/RunForm')).RunForm);

export function RerunDialog({ onClose }: { onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Run this again" size="lg">
      <Rerun onClose={onClose} />
    </Modal>
  );
}

function Rerun({ onClose }: { onClose: () => void }) {
  const store = useExecutionStore();
  const detail = useExecution();
  const navigate = useNavigate();
  const chosen = useParam('node');
  const failed = detail.nodes.find((node) => node.status === 'failed');
  const suggested = detail.nodes.find((node) => node.nodeId === chosen) ?? failed;
  const [whole, setWhole] = useState(suggested === undefined);
  const [fromNode, setFromNode] = useState(suggested?.nodeId ?? null);
  const [others, setOthers] = useState(false);
  const [refusal, setRefusal] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const { keyOf, done } = useOnceKey();
  const inputs = useMemo(() => variablesOf(detail).inputs, [detail]);
  const names = Object.keys(inputs);

  const start = async (variables: Record<string, unknown>) => {
    if (!whole && fromNode === null) throw new Error('Choose the node to begin with.');
    const body = { fromNode: whole ? null : fromNode, variables };
    try {
      const params = { path: { executionId: store.executionId }, header: { 'Idempotency-Key': keyOf(body) } };
      const { executionId } = await take(api.POST('/api/v1/executions/{executionId}/rerun', { params, body }));
      onClose();
      said('A new execution was started');
      void navigate(`/automation/executions/${executionId}`);
    } catch (error) {
      // nobody knows what became of a request without an answer: it is sent again under the same key
      if (!problemOf(error).unreachable) done();
      throw error;
    }
  };
  const same = async () => {
    setBusy(true);
    setRefusal(null);
    try {
      await start({});
    } catch (error) {
      setRefusal(problemOf(error));
      setBusy(false);
    }
  };
  return (
    <Stack gap="md">
      <Radio.Group label="What runs" value={whole ? 'whole' : 'from'} onChange={(value) => setWhole(value === 'whole')}>
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
              data={detail.nodes
                .filter((node) => node.type !== 'trigger')
                .map((node) => ({
                  value: node.nodeId,
                  label: node.nodeId === failed?.nodeId ? `${node.name} (failed)` : node.name,
                }))}
              value={fromNode}
              onChange={setFromNode}
              searchable
            />
          )}
          <Radio value="whole" label="All of it" description="From the trigger on, with the version that runs now." />
        </Stack>
      </Radio.Group>
      <Radio.Group
        label="With which inputs"
        value={others ? 'others' : 'same'}
        onChange={(value) => setOthers(value === 'others')}
      >
        <Stack gap={6} mt={6}>
          <Radio value="same" label="The same" description={names.length === 0 ? 'It had none.' : names.join(', ')} />
          <Radio value="others" label="Others" />
        </Stack>
      </Radio.Group>
      {detail.status === 'completed' && (
        <Alert color="gray" variant="light" p="xs">
          This execution completed: what it did will be done once more.
        </Alert>
      )}
      {others ? (
        <>
          <Divider />
          <Suspense fallback={<Loader aria-label="Loading the form" />}>
            <OtherInputs
              whole={whole}
              before={inputs}
              onCancel={onClose}
              onRun={(after) => start(changedInputs(inputs, after))}
            />
          </Suspense>
        </>
      ) : (
        <>
          {refusal && <ProblemAlert error={refusal} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Leave it
            </Button>
            <Button
              loading={busy}
              disabled={!whole && fromNode === null}
              leftSection={<IconPlayerPlay size={16} aria-hidden />}
              onClick={same}
              data-autofocus
            >
              Run again
            </Button>
          </Group>
        </>
      )}
    </Stack>
  );
}

function OtherInputs({
  whole,
  before,
  onRun,
  onCancel,
}: {
  whole: boolean;
  before: Record<string, unknown>;
  onRun: (after: Record<string, unknown>) => Promise<void>;
  onCancel: () => void;
}) {
  const detail = useExecution();
  const workflow = useQuery({ ...workflowQuery(detail.workflowId), enabled: whole });
  const number = whole ? (workflow.data?.publishedVersion ?? null) : detail.version;
  const version = useQuery({ ...versionQuery(detail.workflowId, number ?? 0), enabled: number !== null });
  const problem = workflow.error ?? version.error;
  if (problem !== null) return <ProblemAlert error={problem} />;
  if (version.data === undefined) return <Loader aria-label="Loading the inputs" />;
  const { inputs = null } = version.data.document as { inputs?: JsonSchema | null };
  return <RunForm key={number} inputs={inputs} initial={before} onRun={onRun} onCancel={onCancel} action="Run again" />;
}
