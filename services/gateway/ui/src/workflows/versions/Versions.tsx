import { Button, Group, Loader, Skeleton, Text } from '@mantine/core';
import { IconVersions } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { api, take } from '@/api/client';
import { useMay } from '@/api/session';
import type { VersionRow, WorkflowDetail } from '@/api/types';
import { confirm } from '@/ui/confirm';
import { EmptyState } from '@/ui/EmptyState';
import { Instant } from '@/ui/Instant';
import { Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useCommands, workflowKey } from '../queries';
import { Shown } from './Shown';
import classes from './Versions.module.css';

/** Published versions, newest first, and beside them the text of one or how two differ (R45). */
export function Versions({ workflow }: { workflow: WorkflowDetail }) {
  const { workflowId, publishedVersion } = workflow;
  const [params] = useSearchParams();
  const list = useInfiniteQuery({
    queryKey: [...workflowKey(workflowId), 'versions'],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      take(
        api.GET('/api/v1/workflows/{workflowId}/versions', {
          params: { path: { workflowId }, query: { limit: 50, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  });
  if (publishedVersion === null) {
    return (
      <Panel>
        <EmptyState icon={IconVersions} title="Nothing is published yet">
          A publish makes of the draft a version that never changes, and new executions run it.
        </EmptyState>
      </Panel>
    );
  }
  if (list.isError) return <ProblemAlert error={list.error} onRetry={() => list.refetch()} />;
  if (list.isPending) return <Skeleton height={300} />;
  const versions = list.data.pages.flatMap((each) => each.items);
  const shown = numberOf(params.get('version')) ?? publishedVersion;
  return (
    <div className={classes.versions}>
      <Panel>
        <ul className={classes.list} aria-label="Versions">
          {versions.map((each) => (
            <Version key={each.version} row={each} workflow={workflow} shown={each.version === shown} />
          ))}
        </ul>
        {list.hasNextPage && (
          <div className={classes.foot}>
            <Button
              variant="default"
              size="xs"
              loading={list.isFetchingNextPage}
              onClick={() => void list.fetchNextPage()}
            >
              Older versions
            </Button>
          </div>
        )}
      </Panel>
      <Shown workflow={workflow} versions={versions} version={shown} against={params.get('against')} />
    </div>
  );
}

export function numberOf(text: string | null): number | null {
  return text !== null && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null;
}

function Version({ row, workflow, shown }: { row: VersionRow; workflow: WorkflowDetail; shown: boolean }) {
  const mayManage = useMay('automation:manage');
  const commands = useCommands(workflow);
  const rollBack = async () => {
    const sure = await confirm({
      title: `Run version ${row.version} again`,
      body: `New executions run version ${row.version} instead of ${workflow.publishedVersion}; those that run go on with theirs. The draft stays as it is.`,
      action: 'Roll back',
    });
    if (sure) await commands.rollBack(row.version);
  };
  return (
    <li className={classes.version} data-shown={shown}>
      <Link
        to={`?tab=versions&version=${row.version}`}
        className={classes.number}
        aria-current={shown ? 'true' : undefined}
      >
        Version {row.version}
      </Link>
      {row.running && (
        <Text span size="xs" fw={600} c="var(--ry-green)">
          in use
        </Text>
      )}
      <Group gap={4} className={classes.right}>
        {row.version > 1 && (
          <Button
            component={Link}
            to={`?tab=versions&version=${row.version}&against=${row.version - 1}`}
            variant="subtle"
            color="gray"
            size="compact-xs"
            aria-label={`What version ${row.version} changed`}
          >
            Changes
          </Button>
        )}
        {mayManage && !row.running && !workflow.archived && (
          <Button
            variant="subtle"
            color="gray"
            size="compact-xs"
            loading={commands.busy === 'rollback'}
            aria-label={`Roll back to version ${row.version}`}
            onClick={() => void rollBack()}
          >
            Roll back
          </Button>
        )}
      </Group>
      <span className={classes.who}>
        <Instant at={row.publishedAt} /> by {row.publishedBy}
      </span>
    </li>
  );
}

export function Waiting() {
  return <Loader m="md" size="sm" aria-label="Loading the text" />;
}
