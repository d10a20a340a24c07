/** How long data of the tenant is kept (R66), what was archived, and what keeps the rest from it. */
import { Alert, Button, Group, NumberInput, Radio, Stack, Text, Title } from '@mantine/core';
import { IconClock } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, take } from '@/api/client';
import { useMay } from '@/api/session';
import type { Retention } from '@/api/types';
import { confirm } from '@/ui/confirm';
import { Instant } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { said } from '@/ui/toast';
import { problemAt } from '../FormDialog';
import { Body, Rows, Section } from '../Section';
import { useSend } from '../useSend';
import { keptText, shortens, type Times } from './times';

const RETENTION = ['retention'] as const;

export function RetentionSettings() {
  const retention = useQuery({
    queryKey: RETENTION,
    queryFn: ({ signal }) => take(api.GET('/api/v1/retention', { signal })),
    refetchInterval: 30_000,
  });
  const found = retention.data;
  return (
    <Stack gap="md">
      <Section
        title="Retention"
        about="How long data is kept after its end. Old months of history and of the audit log go to compressed files and out of the database; old output of jobs is dropped."
      >
        <Body>
          {retention.isError ? (
            <ProblemAlert error={retention.error} onRetry={() => retention.refetch()} />
          ) : (
            found && <TimesForm key={found.changedAt} now={found} />
          )}
        </Body>
      </Section>
      {found && found.waiting.length > 0 && (
        <Section
          title="Waiting"
          about="Months whose time is over, and what each waits for. It is tried again by itself."
        >
          <Rows label="Months that wait" head={['Month', 'Waits because', 'Looked at']}>
            {found.waiting.map((each) => (
              <tr key={each.month}>
                <td className="numbers">{each.month}</td>
                <td>{each.reason}</td>
                <td>
                  <Instant at={each.lookedAt} />
                </td>
              </tr>
            ))}
          </Rows>
        </Section>
      )}
      {found && <Archived retention={found} />}
    </Stack>
  );
}

function TimesForm({ now }: { now: Retention }) {
  const may = useMay('automation:admin');
  const set: Times = { historyMonths: now.historyMonths, auditMonths: now.auditMonths, outputDays: now.outputDays };
  const [times, setTimes] = useState<Times>(set);
  const [whole, setWhole] = useState(true);
  const save = useSend({
    send: (sent: Times, header) => take(api.PUT('/api/v1/retention', { params: { header }, body: sent })),
    changes: RETENTION,
    done: () => said('How long data is kept is saved.'),
  });
  const changed = JSON.stringify(times) !== JSON.stringify(set);
  const ask = async () => {
    const goes = shortens(set, times, now.defaultOutputDays);
    if (goes.length > 0) {
      const sure = await confirm({
        title: 'Keep less?',
        body: (
          <>
            {goes.map((each) => (
              <p key={each}>{each}</p>
            ))}
          </>
        ),
        action: 'Keep less',
        dangerous: true,
      });
      if (!sure) return;
    }
    save.mutate(times);
  };
  const inherited = now.defaultOutputDays === null ? '' : ` (${keptText(now.defaultOutputDays, 'days')})`;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (changed && whole && !save.isPending) void ask();
      }}
    >
      <Stack gap="lg" maw={560}>
        <Kept
          label="Executions, with jobs, logs and approvals"
          unit="months"
          forEver={null}
          value={times.historyMonths}
          onChange={(historyMonths) => setTimes({ ...times, historyMonths })}
          onWhole={setWhole}
          disabled={!may}
          error={problemAt(save.error, 'historyMonths')}
          then="archived"
        />
        <Kept
          label="Audit log"
          unit="months"
          forEver={null}
          value={times.auditMonths}
          onChange={(auditMonths) => setTimes({ ...times, auditMonths })}
          onWhole={setWhole}
          disabled={!may}
          error={problemAt(save.error, 'auditMonths')}
          then="archived"
        />
        <Kept
          label="Output of jobs"
          unit="days"
          forEver={0}
          inherited={`As this installation does${inherited}`}
          value={times.outputDays}
          onChange={(outputDays) => setTimes({ ...times, outputDays })}
          onWhole={setWhole}
          disabled={!may}
          error={problemAt(save.error, 'outputDays')}
          then="dropped"
        />
        {save.error && <ProblemAlert error={save.error} />}
        {may ? (
          <Group>
            <Button type="submit" disabled={!changed || !whole} loading={save.isPending}>
              Save
            </Button>
            {changed && (
              <Button variant="default" onClick={() => setTimes(set)}>
                Leave it
              </Button>
            )}
          </Group>
        ) : (
          <Text size="sm" c="dimmed">
            To change it needs the permission <code>automation:admin</code>.
          </Text>
        )}
        {now.changedBy && (
          <Text size="xs" c="dimmed">
            Last changed by {now.changedBy}, <Instant at={now.changedAt} />.
          </Text>
        )}
      </Stack>
    </form>
  );
}

/** One of the times. `forEver`: what the API calls it; `inherited`: what null means, if not for ever. */
function Kept({
  label,
  unit,
  forEver,
  inherited,
  value,
  onChange,
  onWhole,
  disabled,
  error,
  then,
}: {
  label: string;
  unit: 'months' | 'days';
  forEver: null | 0;
  inherited?: string;
  value: number | null;
  onChange: (value: number | null) => void;
  onWhole: (whole: boolean) => void;
  disabled: boolean;
  error: string | undefined;
  then: string;
}) {
  const mode = value === forEver ? 'ever' : value === null ? 'inherited' : 'some';
  const first = unit === 'months' ? 12 : 30;
  return (
    <Radio.Group
      label={label}
      value={mode}
      onChange={(next) => {
        onWhole(true);
        onChange(next === 'ever' ? forEver : next === 'inherited' ? null : first);
      }}
      error={error}
    >
      <Stack gap="xs" mt="xs">
        {inherited && <Radio value="inherited" label={inherited} disabled={disabled} />}
        <Radio value="ever" label="For ever" disabled={disabled} />
        <Group gap="sm">
          <Radio value="some" label={`${then === 'archived' ? 'Archived' : 'Dropped'} after`} disabled={disabled} />
          {mode === 'some' && (
            <NumberInput
              aria-label={`${label}: ${unit}`}
              suffix={` ${unit}`}
              min={1}
              max={unit === 'months' ? 1200 : 36500}
              allowDecimal={false}
              value={value ?? first}
              onChange={(next) => {
                const usable = typeof next === 'number' && next >= 1;
                onWhole(usable);
                if (usable) onChange(next);
              }}
              disabled={disabled}
              w={150}
              size="xs"
            />
          )}
        </Group>
      </Stack>
    </Radio.Group>
  );
}

function Archived({ retention: { archived, archivedAudit, historyMonths, auditMonths } }: { retention: Retention }) {
  if (archived.length === 0 && archivedAudit.length === 0) {
    if (historyMonths === null && auditMonths === null) return null;
    return (
      <Alert variant="default" icon={<IconClock aria-hidden />} title="Nothing is archived yet">
        Every hour it is looked for months whose time is over.
      </Alert>
    );
  }
  return (
    <Section
      title="Archived"
      about="Months that are in files of the directory for archives, and no longer here. An operator can search and restore them."
    >
      {archived.length > 0 && (
        <Rows label="Archived months of history" head={['Executions of', 'Events', 'Positions', 'Archived']}>
          {archived.map((each) => (
            <tr key={each.month}>
              <td className="numbers">{each.month}</td>
              <td className="numbers">{each.events.toLocaleString('en')}</td>
              <td className="numbers">
                {each.firstPosition} – {each.lastPosition}
              </td>
              <td>
                <Instant at={each.archivedAt} />
              </td>
            </tr>
          ))}
        </Rows>
      )}
      {archivedAudit.length > 0 && (
        <>
          <Body>
            <Title order={3}>Audit log</Title>
          </Body>
          <Rows label="Archived months of the audit log" head={['Commands of', 'Entries', 'Archived']}>
            {archivedAudit.map((each) => (
              <tr key={each.month}>
                <td className="numbers">{each.month}</td>
                <td className="numbers">{each.entries.toLocaleString('en')}</td>
                <td>
                  <Instant at={each.archivedAt} />
                </td>
              </tr>
            ))}
          </Rows>
        </>
      )}
    </Section>
  );
}
