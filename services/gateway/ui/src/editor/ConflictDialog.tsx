/** Somebody else saved since: who, when, what, and what to do about it. */
import { Button, Group, Loader, Modal, Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useMemo } from 'react';
import { api, take } from '@/api/client';
import type { WorkflowDetail } from '@/api/types';
import { Instant } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { formatOf } from './api';
import classes from './Editor.module.css';
import { useFocusBack } from './useFocusBack';

const SideBySide = lazy(async () => ({ default: (await import('@/workflows/versions/Source')).SideBySide }));

export interface Conflict {
  workflowId: string;
  revision: number;
  savedBy: string;
  savedAt: string;
}

export function ConflictDialog({
  conflict,
  mine,
  onTheirs,
  onMine,
  onClose,
}: {
  conflict: Conflict;
  mine: string;
  onTheirs: (theirs: WorkflowDetail['draft']) => void;
  /** Over theirs, of this revision. */
  onMine: (revision: number) => void;
  onClose: () => void;
}) {
  useFocusBack();
  const narrow = useMediaQuery('(max-width: 48em)') ?? false;
  const { workflowId } = conflict;
  const { data, error } = useQuery({
    queryKey: ['editor', workflowId, 'theirs', conflict.revision],
    gcTime: 0,
    queryFn: async ({ signal }) => {
      const path = { params: { path: { workflowId } }, signal };
      return (await take(api.GET('/api/v1/workflows/{workflowId}', path))).draft;
    },
  });
  const before = useMemo(
    () => data && { text: data.source, format: data.format, label: `Saved by ${data.savedBy}` },
    [data],
  );
  const after = useMemo(() => ({ text: mine, format: formatOf(mine), label: 'Yours' }), [mine]);
  return (
    <Modal opened onClose={onClose} title="Somebody else saved this draft" size="80rem">
      <Text size="sm" mb="sm">
        <b>{conflict.savedBy}</b> saved it <Instant at={conflict.savedAt} />, after you had opened it. Nothing of yours
        is lost: what you wrote is still in the editor. On the left is theirs, on the right is yours.
      </Text>
      {error ? <ProblemAlert error={error} /> : null}
      <div className={classes.conflict}>
        {before ? (
          <Suspense fallback={<Loader size="sm" />}>
            <SideBySide before={before} after={after} narrow={narrow} />
          </Suspense>
        ) : (
          !error && <Loader size="sm" />
        )}
      </div>
      <Group justify="flex-end" mt="md" gap="xs">
        <Button variant="default" onClick={onClose}>
          Go on editing
        </Button>
        <Button variant="default" disabled={!data} onClick={() => data && onTheirs(data)}>
          Take theirs
        </Button>
        <Button color="red" disabled={!data} onClick={() => data && onMine(data.revision)}>
          Save mine over it
        </Button>
      </Group>
    </Modal>
  );
}
