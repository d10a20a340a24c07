/** Somebody else saved since: who, when, what, and what to do about it. */
import { Button, Group, Loader, Modal, SegmentedControl, Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useMemo, useState } from 'react';
import { api, take } from '@/api/client';
import type { WorkflowDetail } from '@/api/types';
import { Instant } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { formatOf } from './api';
import classes from './Editor.module.css';
import { merged } from './merge';
import { counted } from './ProblemList';
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
  before,
  mine,
  onTheirs,
  onBoth,
  onMine,
  onClose,
}: {
  conflict: Conflict;
  /** The text that both began with. */
  before: string;
  mine: string;
  /** The text of both together, over theirs. */
  onBoth: (theirs: WorkflowDetail['draft'], both: string) => void;
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
  const [view, setView] = useState<'both' | 'mine'>('both');
  const [preferred, setPreferred] = useState<'mine' | 'theirs'>('mine');
  const both = useMemo(() => data && merged(before, mine, data.source, preferred), [before, mine, data, preferred]);
  const left = useMemo(
    () => data && { text: data.source, format: data.format, label: `Saved by ${data.savedBy}` },
    [data],
  );
  const shown = view === 'mine' ? mine : both?.text;
  const right = useMemo(
    () =>
      shown === undefined
        ? undefined
        : { text: shown, format: formatOf(shown), label: view === 'mine' ? 'Yours' : 'Both together' },
    [shown, view],
  );
  return (
    <Modal opened onClose={onClose} title="Somebody else saved this draft" size="80rem">
      <Text size="sm" mb="sm">
        <b>{conflict.savedBy}</b> saved it <Instant at={conflict.savedAt} />, after you had opened it. Nothing of yours
        is lost: what you wrote is still in the editor.
      </Text>
      {error ? <ProblemAlert error={error} /> : null}
      <Group mb="xs" gap="xs">
        <Text size="sm" component="span">
          Theirs, compared with
        </Text>
        <SegmentedControl
          size="xs"
          aria-label="Theirs, compared with"
          value={view}
          onChange={(next) => setView(next as typeof view)}
          data={[
            { value: 'both', label: 'both together' },
            { value: 'mine', label: 'yours' },
          ]}
        />
        {both !== undefined && view === 'both' && (
          <Text size="sm" component="span" aria-live="polite">
            {both.disputed === 0
              ? 'You changed different places.'
              : `You both changed ${counted(both.disputed, 'place')}, where it keeps`}
          </Text>
        )}
        {both !== undefined && view === 'both' && both.disputed > 0 && (
          <SegmentedControl
            size="xs"
            aria-label="Where both changed the same"
            value={preferred}
            onChange={(next) => setPreferred(next as typeof preferred)}
            data={[
              { value: 'mine', label: 'yours' },
              { value: 'theirs', label: 'theirs' },
            ]}
          />
        )}
      </Group>
      <div className={classes.conflict}>
        {left && right ? (
          <Suspense fallback={<Loader size="sm" />}>
            <SideBySide before={left} after={right} narrow={narrow} />
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
        <Button color="red" variant="light" disabled={!data} onClick={() => data && onMine(data.revision)}>
          Save mine over it
        </Button>
        <Button disabled={!data} onClick={() => data && both && onBoth(data, both.text)}>
          Go on with both
        </Button>
      </Group>
    </Modal>
  );
}
