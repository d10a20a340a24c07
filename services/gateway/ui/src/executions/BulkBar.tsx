/** Cancel and re-run many: those that are selected, or all that the filter finds (R44). */
import { Button, Group, Text } from '@mantine/core';
import { IconBan, IconRepeat } from '@tabler/icons-react';
import { Suspense, useState } from 'react';
import { api, take } from '@/api/client';
import { useMay } from '@/api/session';
import type { ExecutionRow } from '@/api/types';
import { isActive } from '@/theme/status';
import { confirm } from '@/ui/confirm';
import { lazyPart } from '@/ui/lazyPart';
import { failed, said } from '@/ui/toast';
import { together } from './bulk';
import { type Filter, isEmpty, queryOf } from './filter';

const CancelDialog = lazyPart(async () => (await import('./CancelDialog')).CancelDialog);

interface Props {
  filter: Filter;
  selected: readonly ExecutionRow[];
  onDone: () => void;
}

export function BulkBar({ filter, selected, onDone }: Props) {
  const mayExecute = useMay('automation:execute');
  const [cancelling, setCancelling] = useState(false);
  const [busy, setBusy] = useState(false);
  if (!mayExecute) return null;
  const some = selected.length > 0;
  if (!some && isEmpty(filter)) return null;
  const active = selected.filter((each) => isActive(each.status));
  const finished = selected.filter((each) => !isActive(each.status));

  const work = async (what: string, run: () => Promise<string>) => {
    setBusy(true);
    try {
      said(await run());
      onDone();
    } catch (error) {
      failed(what, error);
    } finally {
      setBusy(false);
    }
  };

  const rerun = async () => {
    const yes = await confirm({
      title: some ? `Re-run ${finished.length} executions` : 'Re-run all that match',
      body: some
        ? 'Each is repeated with its own inputs, as a new execution of the version that is published now.'
        : 'Every finished execution that the filter finds, newest first, at most 1,000, is repeated with its own inputs.',
      action: 'Re-run',
    });
    if (!yes) return;
    await work('The executions were not re-run', async () => {
      if (some) {
        return together(finished, 'Re-run', (each) =>
          take(
            api.POST('/api/v1/executions/{executionId}/rerun', {
              params: { path: { executionId: each.executionId } },
              body: {},
            }),
          ),
        );
      }
      const done = await take(
        api.POST('/api/v1/executions/bulk-rerun', { body: { filter: queryOf(filter, Date.now()) } }),
      );
      return `Re-run ${done.accepted} of ${done.matched}${done.more ? '; there are more: do it again' : ''}`;
    });
  };

  const cancel = (reason: string, force: boolean) =>
    work('The executions were not cancelled', async () => {
      setCancelling(false);
      if (some) {
        return together(active, 'Cancelled', (each) =>
          take(
            api.POST('/api/v1/executions/{executionId}/cancel', {
              params: { path: { executionId: each.executionId } },
              body: { reason, force },
            }),
          ),
        );
      }
      const done = await take(
        api.POST('/api/v1/executions/bulk-cancel', { body: { filter: queryOf(filter, Date.now()), reason, force } }),
      );
      return `Cancelled ${done.accepted} of ${done.matched}${done.more ? '; there are more: do it again' : ''}`;
    });

  return (
    <Group gap={8}>
      <Text size="sm" c="dimmed">
        {some ? `${selected.length} selected` : 'All that match:'}
      </Text>
      <Button
        size="compact-sm"
        variant="default"
        leftSection={<IconBan size={14} aria-hidden />}
        disabled={busy || (some && active.length === 0)}
        title={some && active.length === 0 ? 'None of them is active' : undefined}
        onClick={() => setCancelling(true)}
      >
        Cancel{some ? ` ${active.length}` : ' …'}
      </Button>
      <Button
        size="compact-sm"
        variant="default"
        leftSection={<IconRepeat size={14} aria-hidden />}
        disabled={busy || (some && finished.length === 0)}
        title={some && finished.length === 0 ? 'None of them has finished' : undefined}
        onClick={rerun}
      >
        Re-run{some ? ` ${finished.length}` : ' …'}
      </Button>
      {cancelling && (
        <Suspense>
          <CancelDialog
            what={some ? `${active.length} executions` : 'every active execution that the filter finds'}
            onClose={() => setCancelling(false)}
            onCancel={cancel}
          />
        </Suspense>
      )}
    </Group>
  );
}
