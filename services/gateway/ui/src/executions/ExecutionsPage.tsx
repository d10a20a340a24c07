/** The list of executions (R2–R10): what runs, what waits for what, what went wrong. */
import { Button, Group, Skeleton, Stack } from '@mantine/core';
import { IconArrowUp, IconFilterOff, IconRoute } from '@tabler/icons-react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { useMay } from '@/api/session';
import { FirstSteps } from '@/firstUse/FirstSteps';
import { EmptyState } from '@/ui/EmptyState';
import { LiveMark } from '@/ui/LiveMark';
import { Page, Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useShortcuts } from '@/ui/shortcuts';
import { BulkBar } from './BulkBar';
import classes from './ExecutionsPage.module.css';
import { ExecutionTable } from './ExecutionTable';
import { FilterBar } from './FilterBar';
import { type Filter, isEmpty, NOTHING, readFilter, writeFilter } from './filter';
import { ListTabs } from './ListTabs';
import { useExecutionList } from './useExecutionList';

const NONE: ReadonlySet<string> = new Set();

export function ExecutionsPage() {
  const [params, setParams] = useSearchParams();
  const navigate = useNavigate();
  const filter = useMemo(() => readFilter(params), [params]);
  const list = useExecutionList(filter);
  const search = useRef<HTMLInputElement>(null);
  const mayExecute = useMay('automation:execute');
  const [current, setCurrent] = useState(-1);
  const [selected, setSelected] = useState(NONE);
  const address = writeFilter(filter).toString();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list
  useEffect(() => {
    setCurrent(-1);
    setSelected(NONE);
  }, [address]);

  const setFilter = (next: Filter) => setParams(writeFilter(next));
  const onSelect = useCallback(
    (executionIds: readonly string[], chosen: boolean) =>
      setSelected((before) => {
        const after = new Set(before);
        for (const each of executionIds) {
          if (chosen) after.add(each);
          else after.delete(each);
        }
        return after;
      }),
    [],
  );
  const { shown, fresh } = list.rows;
  const chosen = shown[current];
  useShortcuts([
    { key: 'j', does: 'Next execution', run: () => setCurrent(Math.min(current + 1, shown.length - 1)) },
    { key: 'k', does: 'Previous execution', run: () => setCurrent(Math.max(current - 1, 0)) },
    { key: 'Enter', does: 'Open it', run: () => chosen && navigate(`/automation/executions/${chosen.executionId}`) },
    ...(mayExecute
      ? [
          {
            key: 'x',
            does: 'Select it',
            run: () => chosen && onSelect([chosen.executionId], !selected.has(chosen.executionId)),
          },
        ]
      : []),
    { key: '/', does: 'Search', run: () => search.current?.focus() },
    { key: 'n', does: 'Show what is new', run: () => void list.reload() },
  ]);

  return (
    <Page
      title="Executions"
      actions={
        <div className={classes.live}>
          <span role="status" className={classes.fresh}>
            {fresh.size > 0 && (
              <Button
                size="compact-sm"
                variant="light"
                leftSection={<IconArrowUp size={14} aria-hidden />}
                onClick={() => {
                  setCurrent(-1);
                  void list.reload();
                }}
              >
                Show {fresh.size} new
              </Button>
            )}
          </span>
          <LiveMark state={list.state} />
        </div>
      }
    >
      <div className={classes.top}>
        <ListTabs />
        <div className={classes.above}>
          {selected.size > 0 || !isEmpty(filter) ? (
            <BulkBar
              filter={filter}
              selected={shown.filter((each) => selected.has(each.executionId))}
              onDone={() => {
                setSelected(NONE);
                void list.reload();
              }}
            />
          ) : null}
        </div>
      </div>
      {isEmpty(filter) && <FirstSteps />}
      <FilterBar filter={filter} counts={list.counts} onChange={setFilter} searchRef={search} />
      <Panel>
        {list.isPending ? (
          <Loading />
        ) : list.error !== null ? (
          <ProblemAlert error={list.error} onRetry={list.reload} />
        ) : shown.length === 0 ? (
          <Nothing filter={filter} onClear={() => setFilter(NOTHING)} />
        ) : (
          <ExecutionTable
            rows={shown}
            cameActive={list.rows.cameActive}
            current={current}
            selected={selected}
            onSelect={mayExecute ? onSelect : null}
          />
        )}
      </Panel>
      {list.moreError !== null && <ProblemAlert error={list.moreError} onRetry={list.loadMore} />}
      {list.hasMore && !list.isPending && (
        <Group justify="center" mt="md">
          <Button variant="default" loading={list.isLoadingMore} onClick={list.loadMore}>
            Older executions
          </Button>
        </Group>
      )}
    </Page>
  );
}

function Loading() {
  return (
    <Stack gap={12} p={14} aria-label="Loading the executions" role="status">
      {Array.from({ length: 12 }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <Skeleton key={index} height={22} radius="sm" />
      ))}
    </Stack>
  );
}

function Nothing({ filter, onClear }: { filter: Filter; onClear: () => void }) {
  if (!isEmpty(filter)) {
    return (
      <EmptyState icon={IconFilterOff} title="No execution matches">
        Widen the filter, or{' '}
        <Button variant="subtle" size="compact-sm" onClick={onClear}>
          show all executions
        </Button>
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconRoute} title="Nothing has run yet">
      An execution begins when a workflow is run by a person, a schedule, a webhook or an incident. Run one from the{' '}
      <Link to="/automation/workflows">workflows</Link>, or{' '}
      <Link to="/automation/workflows/new">write the first one</Link>.
    </EmptyState>
  );
}
