import { Select, TextInput } from '@mantine/core';
import { TRIGGER_WORDS, WorkflowSelect } from '@/executions/FilterBar';
import { TRIGGERS, type TriggerType } from '@/executions/filter';
import classes from './AskBar.module.css';
import { type Asked, RANGES, type Range } from './range';
import { browserZone, inputOf, isoOfInput } from './zones';

/** Which executions, over which time, by whose clock. */
export function AskBar({
  asked,
  tenantZone,
  onChange,
}: {
  asked: Asked;
  tenantZone: string;
  onChange: (asked: Asked) => void;
}) {
  const set = (change: Partial<Asked>) => onChange({ ...asked, ...change });
  const zone = asked.zone ?? tenantZone;
  return (
    <search className={classes.bar}>
      <Select
        className={classes.range}
        aria-label="Range"
        allowDeselect={false}
        data={[
          ...Object.entries(RANGES).map(([value, label]) => ({ value, label })),
          { value: 'custom', label: 'From … to …' },
        ]}
        value={asked.range ?? 'custom'}
        onChange={(value) => {
          if (value === 'custom') {
            const day = new Date(Date.now() - 86_400_000).toISOString();
            set({ range: null, from: day, to: null });
          } else set({ range: value as Range, from: null, to: null });
        }}
      />
      {asked.range === null && (
        <>
          <Time label="From" value={asked.from} zone={zone} onChange={(from) => from && set({ from })} />
          <Time label="To, or empty for now" value={asked.to} zone={zone} onChange={(to) => set({ to })} />
        </>
      )}
      <ZoneSelect zone={asked.zone} tenantZone={tenantZone} onChange={(next) => set({ zone: next })} />
      <WorkflowSelect value={asked.workflowId} onChange={(workflowId) => set({ workflowId })} />
      <Select
        className={classes.trigger}
        aria-label="Trigger"
        placeholder="Any trigger"
        clearable
        data={TRIGGERS.map((value) => ({ value, label: TRIGGER_WORDS[value] }))}
        value={asked.trigger}
        onChange={(value) => set({ trigger: value as TriggerType | null })}
      />
    </search>
  );
}

function Time({
  label,
  value,
  zone,
  onChange,
}: {
  label: string;
  value: string | null;
  zone: string;
  onChange: (iso: string | null) => void;
}) {
  return (
    <TextInput
      type="datetime-local"
      aria-label={`${label} (${zone})`}
      className={classes.time}
      value={value === null ? '' : inputOf(value, zone)}
      onChange={(event) => onChange(isoOfInput(event.currentTarget.value, zone))}
    />
  );
}

const TENANT = 'tenant';
const SHOWN = 60;

function ZoneSelect({
  zone,
  tenantZone,
  onChange,
}: {
  zone: string | null;
  tenantZone: string;
  onChange: (zone: string | null) => void;
}) {
  const here = browserZone();
  const all = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((each) => each !== 'UTC')];
  const others = all.filter((each) => each !== here && each !== zone);
  const near = [...new Set([here, ...(zone === null ? [] : [zone])])];
  return (
    <Select
      className={classes.zone}
      aria-label="Time zone of days and clocks"
      searchable
      allowDeselect={false}
      limit={SHOWN}
      nothingFoundMessage="No time zone has this name"
      data={[
        { value: TENANT, label: `${tenantZone} (the tenant’s)` },
        ...near.map((each) => ({ value: each, label: each === here ? `${each} (this browser’s)` : each })),
        ...others.map((each) => ({ value: each, label: each })),
      ]}
      value={zone ?? TENANT}
      onChange={(value) => onChange(value === null || value === TENANT ? null : value)}
    />
  );
}
