import { Button, Select, TextInput } from '@mantine/core';
import { IconSearch, IconX } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { type Ref, useState } from 'react';
import { api, take } from '@/api/client';
import type { StatusCount } from '@/api/types';
import { EXECUTION } from '@/theme/status';
import { StatusChips } from '@/ui/StatusChips';
import { useTyped } from '@/ui/useTyped';
import classes from './FilterBar.module.css';
import { type Filter, isEmpty, NOTHING, RANGES, type Range, STATUSES, TRIGGERS, type TriggerType } from './filter';

const RANGE_WORDS: Record<Range, string> = {
  '1h': 'Last hour',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
};
export const TRIGGER_WORDS: Record<TriggerType, string> = {
  manual: 'Manual',
  webhook: 'Webhook',
  cron: 'Cron',
  incident: 'Incident',
};

/** All filters of the list. `searchRef`: where `/` goes. */
export function FilterBar({
  filter,
  counts,
  onChange,
  searchRef,
}: {
  filter: Filter;
  counts: readonly StatusCount[] | undefined;
  onChange: (filter: Filter) => void;
  searchRef: Ref<HTMLInputElement>;
}) {
  const set = (change: Partial<Filter>) => onChange({ ...filter, ...change });
  const typed = useTyped(filter.q, (q) => set({ q }));
  const custom = filter.range === null && (filter.from !== null || filter.to !== null);
  const [asksForTimes, setAsksForTimes] = useState(custom);
  return (
    <search className={classes.bar}>
      <TextInput
        ref={searchRef}
        className={classes.search}
        aria-label="Workflow name or execution id"
        placeholder="Workflow name or execution id"
        leftSection={<IconSearch size={15} aria-hidden />}
        value={typed.text}
        onChange={(event) => typed.type(event.currentTarget.value)}
        onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.blur()}
      />
      <WorkflowSelect value={filter.workflowId} onChange={(workflowId) => set({ workflowId })} />
      <Select
        className={classes.narrow}
        aria-label="Trigger"
        placeholder="Any trigger"
        clearable
        data={TRIGGERS.map((value) => ({ value, label: TRIGGER_WORDS[value] }))}
        value={filter.trigger}
        onChange={(value) => set({ trigger: value as TriggerType | null })}
      />
      <Select
        className={classes.narrow}
        aria-label="Started"
        placeholder="Any time"
        clearable
        data={[
          ...(Object.keys(RANGES) as Range[]).map((value) => ({ value, label: RANGE_WORDS[value] })),
          { value: 'custom', label: 'From … to …' },
        ]}
        value={filter.range ?? (asksForTimes || custom ? 'custom' : null)}
        onChange={(value) => {
          setAsksForTimes(value === 'custom');
          set(value === 'custom' ? { range: null } : { range: value as Range | null, from: null, to: null });
        }}
      />
      {filter.range === null && (asksForTimes || custom) && (
        <>
          <TimeInput label="From" value={filter.from} onChange={(from) => set({ from })} />
          <TimeInput label="To" value={filter.to} onChange={(to) => set({ to })} />
        </>
      )}
      <StatusChips
        statuses={STATUSES}
        looks={EXECUTION}
        chosen={filter.statuses}
        onChange={(statuses) => set({ statuses })}
        count={(status) => {
          const found = counts?.find((each) => each.status === status);
          return found === undefined ? ' ' : `${found.count}${found.exact ? '' : '+'}`;
        }}
      />
      {!isEmpty(filter) && (
        <Button
          variant="subtle"
          color="gray"
          size="compact-sm"
          leftSection={<IconX size={14} aria-hidden />}
          onClick={() => {
            setAsksForTimes(false);
            onChange(NOTHING);
          }}
        >
          Clear
        </Button>
      )}
    </search>
  );
}

export function WorkflowSelect({
  value,
  onChange,
}: {
  value: string | null;
  onChange: (workflowId: string | null) => void;
}) {
  const [search, setSearch] = useState('');
  const found = useQuery({
    queryKey: ['workflows', 'names', search],
    placeholderData: keepPreviousData,
    staleTime: 30_000,
    queryFn: ({ signal }) =>
      take(
        api.GET('/api/v1/workflows', { params: { query: { limit: 50, ...(search ? { q: search } : {}) } }, signal }),
      ),
  });
  const chosen = useQuery({
    queryKey: ['workflow', value],
    enabled: value !== null,
    staleTime: 30_000,
    queryFn: () => take(api.GET('/api/v1/workflows/{workflowId}', { params: { path: { workflowId: value ?? '' } } })),
  });
  const options = new Map((found.data?.items ?? []).map((each) => [each.workflowId, each.name]));
  if (value !== null && !options.has(value)) options.set(value, chosen.data?.name ?? 'This workflow');
  const current = value === null ? undefined : options.get(value);
  return (
    <Select
      className={classes.workflow}
      aria-label="Workflow"
      placeholder="Any workflow"
      clearable
      searchable
      nothingFoundMessage="No workflow has this name"
      filter={({ options: all }) => all}
      data={[...options].map(([id, label]) => ({ value: id, label }))}
      value={value}
      onSearchChange={(text) => setSearch(text === current ? '' : text.trim())}
      onChange={onChange}
    />
  );
}

/** Times of this browser's clock; the address has them in UTC. */
function TimeInput({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string | null;
  onChange: (iso: string | null) => void;
}) {
  return (
    <TextInput
      type="datetime-local"
      aria-label={`Started ${label.toLowerCase()}`}
      className={classes.time}
      value={value === null ? '' : localMinute(new Date(value))}
      onChange={(event) => {
        const at = new Date(event.currentTarget.value);
        onChange(Number.isNaN(at.getTime()) ? null : at.toISOString());
      }}
    />
  );
}

function localMinute(at: Date): string {
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
