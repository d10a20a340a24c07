import { Loader, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Suspense, useMemo } from 'react';
import { Link, useSearchParams } from 'react-router';
import type { WorkflowDetail } from '@/api/types';
import { graphOfDocument, LazyWorkflowGraph } from '@/graph';
import { Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { versionQuery } from '../queries';
import { triggersOf } from '../triggers/kinds';
import { TriggerLine } from '../triggers/TriggerLine';
import { LastExecutions } from './LastExecutions';
import classes from './Overview.module.css';

/** What it does, what starts it, how it went lately. */
export function Overview({ workflow }: { workflow: WorkflowDetail }) {
  const { workflowId, publishedVersion } = workflow;
  const version = useQuery({ ...versionQuery(workflowId, publishedVersion ?? 0), enabled: publishedVersion !== null });
  const document = publishedVersion === null ? workflow.draft.document : version.data?.document;
  const { description = '' } = (document ?? {}) as { description?: string };
  const triggers = triggersOf(document);
  return (
    <div className={classes.overview}>
      <div className={classes.main}>
        {description && <Text className={classes.description}>{description}</Text>}
        <Panel className={classes.graph}>
          {version.isError ? (
            <ProblemAlert error={version.error} onRetry={() => version.refetch()} />
          ) : document === undefined ? (
            <Loader m="md" size="sm" aria-label="Loading the graph" />
          ) : (
            <Graph document={document} name={workflow.name} />
          )}
        </Panel>
        <Text size="xs" c="dimmed" mt={4}>
          {publishedVersion === null ? 'The draft.' : `Version ${publishedVersion}, which is in use.`}
        </Text>
      </div>
      <div className={classes.side}>
        <Panel className={classes.part}>
          <div className={classes.head}>
            <Title order={2}>Started by</Title>
            <Link to="?tab=triggers">Triggers</Link>
          </div>
          {triggers.length === 0 ? (
            <Text size="sm" c="dimmed">
              People and programs only: it names no triggers.
            </Text>
          ) : (
            <ul className={classes.triggers}>
              {triggers.map((each, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: triggers have no other name than their place
                <li key={index}>
                  <TriggerLine trigger={each} />
                </li>
              ))}
            </ul>
          )}
        </Panel>
        <Panel className={classes.part}>
          <div className={classes.head}>
            <Title order={2}>Last executions</Title>
            <Link to={`/automation/executions?workflowId=${workflowId}`}>All</Link>
          </div>
          <LastExecutions workflow={workflow} />
        </Panel>
      </div>
    </div>
  );
}

function Graph({ document, name }: { document: unknown; name: string }) {
  const [params, setParams] = useSearchParams();
  const model = useMemo(() => graphOfDocument(document), [document]);
  const select = (key: string | null) =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (key === null) after.delete('node');
        else after.set('node', key);
        return after;
      },
      { replace: true },
    );
  return (
    <Suspense fallback={<Loader m="md" size="sm" aria-label="Loading the graph" />}>
      <LazyWorkflowGraph model={model} label={`Graph of ${name}`} selected={params.get('node')} onSelect={select} />
    </Suspense>
  );
}
