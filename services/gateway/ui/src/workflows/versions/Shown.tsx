import { Alert, Group, Select, Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useMemo } from 'react';
import { useSearchParams } from 'react-router';
import { api, take } from '@/api/client';
import type { VersionRow, WorkflowDetail } from '@/api/types';
import { CopyButton } from '@/ui/CopyButton';
import { Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { versionQuery, workflowKey } from '../queries';
import { Differences } from './Differences';
import { readable } from './readable';
import type { Text as Source } from './Source';
import { numberOf, Waiting } from './Versions';
import classes from './Versions.module.css';

const SourceView = lazy(async () => ({ default: (await import('./Source')).Source }));
const SideBySide = lazy(async () => ({ default: (await import('./Source')).SideBySide }));

const DRAFT = 'draft';

/** The text of a version or, with `against` (a version or `draft`), how the two differ. */
export function Shown({
  workflow,
  versions,
  version,
  against,
}: {
  workflow: WorkflowDetail;
  versions: readonly VersionRow[];
  version: number;
  against: string | null;
}) {
  const [, setParams] = useSearchParams();
  const { workflowId } = workflow;
  const text = useQuery(versionQuery(workflowId, version));
  const compare = (next: string | null) =>
    setParams({ tab: 'versions', version: String(version), ...(next ? { against: next } : {}) });
  const other = numberOf(against);
  const choices = [
    { value: DRAFT, label: 'the draft' },
    ...versions
      .filter((each) => each.version !== version)
      .map((each) => ({ value: String(each.version), label: `version ${each.version}` })),
  ];
  const chosen = against === DRAFT || other !== null ? against : null;
  if (chosen !== null && !choices.some((each) => each.value === chosen))
    choices.push({ value: chosen, label: `version ${chosen}` });
  return (
    <Panel className={classes.shown}>
      <div className={classes.head}>
        <Text fw={600}>Version {version}</Text>
        <Group gap={6} wrap="nowrap">
          <Text size="sm" c="dimmed">
            compared with
          </Text>
          <Select
            size="xs"
            w={160}
            aria-label={`Version ${version} compared with`}
            placeholder="nothing"
            data={choices}
            value={chosen}
            onChange={compare}
            clearable
          />
        </Group>
        {text.data && chosen === null && (
          <div className={classes.right}>
            <CopyButton value={text.data.source} what="the text" />
          </div>
        )}
      </div>
      {text.isError ? (
        <ProblemAlert error={text.error} onRetry={() => text.refetch()} />
      ) : text.isPending ? (
        <Waiting />
      ) : chosen === null ? (
        <Suspense fallback={<Waiting />}>
          <SourceView {...readable(text.data, `Text of version ${version}`)} />
        </Suspense>
      ) : chosen === DRAFT ? (
        <Texts before={readable(text.data, `Version ${version}`)} after={readable(workflow.draft, 'The draft')} />
      ) : other !== null ? (
        <Compared workflowId={workflowId} one={version} other={other} />
      ) : null}
    </Panel>
  );
}

/** Always from the older to the newer, whichever was chosen first. */
function Compared({ workflowId, one, other }: { workflowId: string; one: number; other: number }) {
  const older = Math.min(one, other);
  const newer = Math.max(one, other);
  const before = useQuery(versionQuery(workflowId, older));
  const after = useQuery(versionQuery(workflowId, newer));
  const diff = useQuery({
    queryKey: [...workflowKey(workflowId), 'diff', older, newer],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) =>
      take(
        api.GET('/api/v1/workflows/{workflowId}/versions/{version}/diff', {
          params: { path: { workflowId, version: newer }, query: { against: older } },
          signal,
        }),
      ),
  });
  const error = before.error ?? after.error ?? diff.error;
  if (error) return <ProblemAlert error={error} />;
  if (!before.data || !after.data || !diff.data) return <Waiting />;
  return (
    <>
      <Differences differences={diff.data.differences} older={older} newer={newer} />
      <Texts before={readable(before.data, `Version ${older}`)} after={readable(after.data, `Version ${newer}`)} />
    </>
  );
}

function Texts({ before, after }: { before: Source; after: Source }) {
  const narrow = useMediaQuery('(max-width: 75em)') ?? false;
  // biome-ignore lint/correctness/useExhaustiveDependencies: as values, not as objects
  const pair = useMemo(
    () => ({ before, after }),
    [before.text, before.format, before.label, after.text, after.format, after.label],
  );
  if (before.text === after.text) {
    return (
      <Alert m="sm" color="gray" variant="light">
        The texts are the same.
      </Alert>
    );
  }
  return (
    <Suspense fallback={<Waiting />}>
      <SideBySide before={pair.before} after={pair.after} narrow={narrow} />
    </Suspense>
  );
}
