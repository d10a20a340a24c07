/** Connections (R58, R59): how jobs reach other systems, and whether they can. */
import { Button, Skeleton, Stack, TextInput } from '@mantine/core';
import { IconFilterOff, IconPlugConnected, IconPlus, IconSearch } from '@tabler/icons-react';
import { useRef } from 'react';
import { useSearchParams } from 'react-router';
import { useMay } from '@/api/session';
import type { ConnectionRow } from '@/api/types';
import { EmptyState } from '@/ui/EmptyState';
import { Page, Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useSetParams } from '@/ui/params';
import { ReasonedButton } from '@/ui/ReasonedButton';
import { useShortcuts } from '@/ui/shortcuts';
import { useTyped } from '@/ui/useTyped';
import { ConnectionDrawer, NEW } from './ConnectionDrawer';
import classes from './ConnectionsPage.module.css';
import { ConnectionTable } from './ConnectionTable';
import { kindOf } from './kinds';
import { useConnections, useConnectionTypes } from './queries';

export function ConnectionsPage() {
  const [params] = useSearchParams();
  const change = useSetParams();
  const connections = useConnections();
  const types = useConnectionTypes();
  const mayManage = useMay('automation:manage');
  const search = useRef<HTMLInputElement>(null);
  useShortcuts([{ key: '/', does: 'Search', run: () => search.current?.focus() }]);
  const q = params.get('q') ?? '';
  const id = params.get('connection');
  const set = (name: 'q' | 'connection', value: string | null, replace = false) =>
    change({ [name]: value }, { replace });
  const typed = useTyped(q, (text) => set('q', text, true), 100);
  const ready = connections.data !== undefined && types.data !== undefined;
  const chosen =
    id === null || !ready || (id === NEW && !mayManage)
      ? null
      : id === NEW
        ? NEW
        : connections.data.find((each) => each.connectionId === id);
  const error = connections.error ?? types.error;
  return (
    <Page
      title="Connections"
      actions={
        <ReasonedButton
          leftSection={<IconPlus size={16} aria-hidden />}
          reason={mayManage ? null : 'This needs the permission automation:manage'}
          onClick={() => set('connection', NEW)}
        >
          New connection
        </ReasonedButton>
      }
    >
      {connections.data !== undefined && connections.data.length > 0 && (
        <search className={classes.bar}>
          <TextInput
            ref={search}
            className={classes.search}
            aria-label="Name, kind or pool"
            placeholder="Name, kind or pool"
            leftSection={<IconSearch size={15} aria-hidden />}
            value={typed.text}
            onChange={(event) => typed.type(event.currentTarget.value)}
            onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.blur()}
          />
        </search>
      )}
      <Panel>
        {connections.data === undefined ? (
          error ? (
            <ProblemAlert error={error} onRetry={() => void Promise.all([connections.refetch(), types.refetch()])} />
          ) : (
            <Stack gap={12} p={14} role="status" aria-label="Loading the connections">
              <Skeleton height={24} />
              <Skeleton height={24} />
              <Skeleton height={24} />
            </Stack>
          )
        ) : connections.data.length === 0 ? (
          <EmptyState icon={IconPlugConnected} title="No connection yet">
            A connection is how jobs reach another system: where it is, and the secrets that open it. Workflows name it
            and never see a secret.
            {mayManage && (
              <div>
                <Button mt="md" onClick={() => set('connection', NEW)}>
                  Make the first connection
                </Button>
              </div>
            )}
          </EmptyState>
        ) : (
          <Found connections={connections.data} q={q} onClear={() => set('q', null)} />
        )}
      </Panel>
      {connections.data !== undefined && error && (
        <ProblemAlert error={error} onRetry={() => void Promise.all([connections.refetch(), types.refetch()])} />
      )}
      <ConnectionDrawer
        chosen={chosen}
        types={types.data ?? []}
        onChoose={(connectionId) => set('connection', connectionId)}
      />
    </Page>
  );
}

function Found({ connections, q, onClear }: { connections: readonly ConnectionRow[]; q: string; onClear: () => void }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const found = connections.filter((each) =>
    words.every((word) =>
      [each.name, each.kind, kindOf(each.kind).label, each.description, ...each.pools].some((text) =>
        text.toLowerCase().includes(word),
      ),
    ),
  );
  if (found.length > 0) return <ConnectionTable connections={found} />;
  return (
    <EmptyState icon={IconFilterOff} title="No connection matches">
      <Button variant="subtle" size="compact-sm" onClick={onClear}>
        Show all connections
      </Button>
    </EmptyState>
  );
}
