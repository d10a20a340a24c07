/** The list of workflows: which there are, which run, and what starts them. */
import { Button, Group, Menu, Pill, SegmentedControl, Skeleton, Stack, TextInput } from '@mantine/core';
import {
  IconChevronDown,
  IconFileImport,
  IconPackageExport,
  IconPlus,
  IconRoute,
  IconSearch,
} from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { api, take } from '@/api/client';
import { useMay } from '@/api/session';
import { FirstSteps } from '@/firstUse/FirstSteps';
import { isActive } from '@/theme/status';
import { EmptyState } from '@/ui/EmptyState';
import { Page, Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useShortcuts } from '@/ui/shortcuts';
import { useTyped } from '@/ui/useTyped';
import { type Filter, queryOf, readFilter, STATES, type State, writeFilter } from './filter';
import { ImportDialog } from './ImportDialog';
import { WORKFLOWS } from './queries';
import classes from './WorkflowsPage.module.css';
import { WorkflowTable } from './WorkflowTable';

const EVERY_MS = 15_000;
const STATE_WORDS: Record<State, string> = {
  all: 'All',
  active: 'Active',
  inactive: 'Inactive',
  archived: 'Archived',
};

export function WorkflowsPage() {
  const [params, setParams] = useSearchParams();
  const navigate = useNavigate();
  const filter = useMemo(() => readFilter(params), [params]);
  const mayManage = useMay('automation:manage');
  const [importing, setImporting] = useState(false);
  const [current, setCurrent] = useState(-1);
  const search = useRef<HTMLInputElement>(null);
  const query = queryOf(filter);
  const list = useQuery({
    queryKey: [...WORKFLOWS, 'list', query],
    queryFn: ({ signal }) => take(api.GET('/api/v1/workflows', { params: { query }, signal })),
    placeholderData: keepPreviousData,
    // again while something runs, and never otherwise (R5)
    refetchInterval: ({ state }) =>
      state.data?.items.some((each) => each.lastExecutions.some((one) => isActive(one.status))) ? EVERY_MS : false,
  });
  const rows = list.data?.items ?? [];
  const address = writeFilter(filter).toString();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list
  useEffect(() => setCurrent(-1), [address]);
  const set = (change: Partial<Filter>) => setParams(writeFilter({ ...filter, cursor: null, ...change }));
  const chosen = rows[current];
  useShortcuts([
    { key: 'j', does: 'Next workflow', run: () => setCurrent(Math.min(current + 1, rows.length - 1)) },
    { key: 'k', does: 'Previous workflow', run: () => setCurrent(Math.max(current - 1, 0)) },
    { key: 'Enter', does: 'Open it', run: () => chosen && navigate(`/automation/workflows/${chosen.workflowId}`) },
    { key: '/', does: 'Search', run: () => search.current?.focus() },
    ...(mayManage ? [{ key: 'n', does: 'New workflow', run: () => navigate('/automation/workflows/new') }] : []),
  ]);
  return (
    <Page
      title="Workflows"
      actions={
        <Group gap="xs">
          <Menu position="bottom-end">
            <Menu.Target>
              <Button variant="default" rightSection={<IconChevronDown size={14} aria-hidden />}>
                Files
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {mayManage && (
                <Menu.Item leftSection={<IconFileImport size={15} aria-hidden />} onClick={() => setImporting(true)}>
                  Import …
                </Menu.Item>
              )}
              <Menu.Item
                leftSection={<IconPackageExport size={15} aria-hidden />}
                component="a"
                href="/api/v1/workflows/export"
                download
              >
                Export all drafts
              </Menu.Item>
              <Menu.Item
                leftSection={<IconPackageExport size={15} aria-hidden />}
                component="a"
                href="/api/v1/workflows/export?published=true"
                download
              >
                Export all that run
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
          {mayManage && (
            <Button component={Link} to="/automation/workflows/new" leftSection={<IconPlus size={16} aria-hidden />}>
              New workflow
            </Button>
          )}
        </Group>
      }
    >
      <FirstSteps />
      <search className={classes.bar}>
        <Search q={filter.q} onChange={(q) => set({ q })} input={search} />
        <SegmentedControl
          size="xs"
          aria-label="State"
          data={STATES.map((each) => ({ value: each, label: STATE_WORDS[each] }))}
          value={filter.state}
          onChange={(state) => set({ state: state as State })}
        />
        {filter.connection !== null && (
          <Pill
            size="md"
            withRemoveButton
            removeButtonProps={{
              'aria-label': `Also those that do not use ${filter.connection}`,
              tabIndex: 0,
              'aria-hidden': false,
            }}
            onRemove={() => set({ connection: null })}
          >
            Uses the connection {filter.connection}
          </Pill>
        )}
      </search>
      <Panel>
        {list.isPending ? (
          <Stack gap={8} p="md" role="status" aria-label="Loading workflows">
            {[1, 2, 3, 4, 5, 6].map((each) => (
              <Skeleton key={each} height={26} />
            ))}
          </Stack>
        ) : list.isError ? (
          <ProblemAlert error={list.error} onRetry={() => list.refetch()} title="The workflows cannot be shown" />
        ) : rows.length === 0 ? (
          <Nothing filter={filter} mayManage={mayManage} onReset={() => setParams(new URLSearchParams())} />
        ) : (
          <WorkflowTable rows={rows} current={current} />
        )}
        {(filter.cursor !== null || list.data?.nextCursor) && (
          <div className={classes.foot}>
            {filter.cursor !== null && (
              <Button variant="default" size="xs" onClick={() => set({ cursor: null })}>
                First page
              </Button>
            )}
            {list.data?.nextCursor && (
              <Button variant="default" size="xs" onClick={() => set({ cursor: list.data.nextCursor })}>
                Next page
              </Button>
            )}
          </div>
        )}
      </Panel>
      {importing && <ImportDialog onClose={() => setImporting(false)} />}
    </Page>
  );
}

function Search({
  q,
  onChange,
  input,
}: {
  q: string;
  onChange: (q: string) => void;
  input: React.Ref<HTMLInputElement>;
}) {
  const typed = useTyped(q, onChange);
  return (
    <TextInput
      ref={input}
      className={classes.search}
      size="xs"
      type="search"
      aria-label="Name of the workflow"
      placeholder="Name"
      leftSection={<IconSearch size={15} aria-hidden />}
      value={typed.text}
      onChange={(event) => typed.type(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === 'Enter') typed.flush();
        if (event.key !== 'Escape') return;
        event.preventDefault(); // a browser would empty the field, and what was found would be gone
        event.currentTarget.blur();
      }}
    />
  );
}

function Nothing({ filter, mayManage, onReset }: { filter: Filter; mayManage: boolean; onReset: () => void }) {
  if (filter.q || filter.cursor || filter.connection || (filter.state !== 'all' && filter.state !== 'archived')) {
    return (
      <EmptyState icon={IconRoute} title="No workflow fits">
        No workflow has all of these.
        <Group justify="center" mt="md">
          <Button variant="default" onClick={onReset}>
            Show all
          </Button>
        </Group>
      </EmptyState>
    );
  }
  if (filter.state === 'archived') {
    return (
      <EmptyState icon={IconRoute} title="Nothing is archived">
        A workflow that is archived cannot run any more; its executions stay, and so does its name.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconRoute} title="No workflows yet">
      A workflow says what is to be done, by whom, and who is asked before.
      {mayManage ? (
        <Group justify="center" mt="md">
          <Button component={Link} to="/automation/workflows/new" leftSection={<IconPlus size={16} aria-hidden />}>
            Begin with a template
          </Button>
        </Group>
      ) : (
        <> Whoever may manage workflows can make the first one.</>
      )}
    </EmptyState>
  );
}
