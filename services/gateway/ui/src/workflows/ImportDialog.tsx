/** Workflows from files: first it is tried, and shown what would become of each document; then it is done. */
import { Alert, Button, Checkbox, FileInput, Group, Modal, Stack, Table, Text } from '@mantine/core';
import { IconFileImport } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Link } from 'react-router';
import { api, take } from '@/api/client';
import type { ImportedWorkflow, WorkflowsImported } from '@/api/types';
import { ProblemAlert } from '@/ui/ProblemAlert';
import classes from './ImportDialog.module.css';
import { WORKFLOWS } from './queries';

interface Options {
  publish: boolean;
  activate: boolean;
}

interface Outcome {
  items: readonly ImportedWorkflow[];
  /** Nothing was changed yet. */
  tried: boolean;
}

export function ImportDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [files, setFiles] = useState<File[]>([]);
  const [options, setOptions] = useState<Options>({ publish: false, activate: false });
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  const send = async (dryRun: boolean, current: () => boolean = () => true) => {
    setBusy(true);
    setError(null);
    try {
      const items: ImportedWorkflow[] = [];
      for (const file of files) {
        const answer = await imported(file, options, dryRun);
        items.push(...answer.items.map((each) => ({ ...each, file: each.file ?? file.name })));
      }
      if (current()) setOutcome({ items, tried: dryRun });
      if (!dryRun) await client.invalidateQueries({ queryKey: WORKFLOWS });
    } catch (problem) {
      if (current()) setError(problem);
    } finally {
      if (current()) setBusy(false);
    }
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: tried again whenever something else was chosen
  useEffect(() => {
    setOutcome(null);
    setError(null);
    if (files.length === 0) return;
    let current = true;
    void send(true, () => current);
    return () => {
      current = false;
    };
  }, [files, options]);

  const done = outcome !== null && !outcome.tried;
  const takes = outcome?.items.filter((each) => each.outcome === 'created' || each.outcome === 'updated').length ?? 0;
  return (
    <Modal opened onClose={onClose} title="Import workflows" size="xl">
      <Stack gap="sm">
        <FileInput
          label="Files"
          description="YAML or JSON, one workflow each, or ZIP archives of them. A workflow of the same name gets a new draft."
          placeholder="Choose files"
          leftSection={<IconFileImport size={16} aria-hidden />}
          accept=".yaml,.yml,.json,.zip"
          multiple
          clearable
          value={files}
          onChange={setFiles}
          disabled={busy && !outcome?.tried && files.length > 0 && done}
        />
        <Group>
          <Checkbox
            label="Publish each"
            checked={options.publish}
            disabled={done}
            onChange={({ currentTarget }) =>
              setOptions({ publish: currentTarget.checked, activate: currentTarget.checked && options.activate })
            }
          />
          <Checkbox
            label="Let each run"
            checked={options.activate}
            disabled={done || !options.publish}
            onChange={({ currentTarget }) => setOptions({ ...options, activate: currentTarget.checked })}
          />
        </Group>
        {error !== null && (
          <ProblemAlert error={error} title="The files cannot be read" onRetry={() => void send(!done)} />
        )}
        {outcome && <Outcomes outcome={outcome} />}
        <Group justify="flex-end">
          {done ? (
            <Button onClick={onClose}>Close</Button>
          ) : (
            <>
              <Button variant="default" onClick={onClose}>
                Leave it
              </Button>
              <Button
                onClick={() => void send(false)}
                loading={busy}
                disabled={outcome === null || (takes === 0 && !options.publish)}
              >
                {takes > 0 ? `Import ${takes}` : 'Import'}
              </Button>
            </>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

function imported(file: File, options: Options, dryRun: boolean): Promise<WorkflowsImported> {
  return take(
    api.POST('/api/v1/workflows/import', {
      params: { query: { ...options, dryRun } },
      body: file as never,
      bodySerializer: (body: unknown) => body as BodyInit,
      headers: { 'Content-Type': contentTypeOf(file.name) },
    }),
  );
}

function contentTypeOf(name: string): string {
  if (/\.zip$/i.test(name)) return 'application/zip';
  return /\.json$/i.test(name) ? 'application/json' : 'application/yaml';
}

const WORDS: Record<ImportedWorkflow['outcome'], [tried: string, done: string]> = {
  created: ['would be made', 'made'],
  updated: ['would be changed', 'changed'],
  unchanged: ['is so already', 'was so already'],
  refused: ['would be refused', 'refused'],
};

function Outcomes({ outcome }: { outcome: Outcome }) {
  const refused = outcome.items.filter((each) => each.outcome === 'refused').length;
  return (
    <Stack gap="xs" role="status">
      {refused > 0 && (
        <Alert color="red" variant="light">
          {refused === 1 ? 'One document is' : `${refused} documents are`} not imported; the others{' '}
          {outcome.tried ? 'can be' : 'are'}.
        </Alert>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways on a narrow screen */}
      <section className={classes.scrolls} tabIndex={0} aria-label="What becomes of each document">
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Workflow</Table.Th>
              <Table.Th>File</Table.Th>
              <Table.Th>Outcome</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {outcome.items.map((each, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: two documents may have one name, and none moves
              <Table.Tr key={index}>
                <Table.Td className={classes.name}>
                  {each.workflowId ? (
                    <Link to={`/automation/workflows/${each.workflowId}`}>{each.name}</Link>
                  ) : (
                    (each.name ?? 'without a name')
                  )}
                </Table.Td>
                <Table.Td className={classes.file}>{each.file}</Table.Td>
                <Table.Td>
                  <span className={classes.outcome} data-outcome={each.outcome}>
                    {WORDS[each.outcome][outcome.tried ? 0 : 1]}
                  </span>
                  {each.detail && <Text size="sm">{each.detail}</Text>}
                  {each.problems.map((problem) => (
                    <Text key={`${problem.path} ${problem.message}`} size="xs">
                      <code>{problem.path}</code> {problem.message}
                    </Text>
                  ))}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </section>
    </Stack>
  );
}
