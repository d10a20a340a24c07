/** Every command (R65): who sent it, from where, what it was about, and what came of it. */
import { Button, Select, TextInput } from '@mantine/core';
import { IconHistory, IconSearch } from '@tabler/icons-react';
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { api, take } from '@/api/client';
import type { AuditRow } from '@/api/types';
import { AUDIT } from '@/theme/status';
import { EmptyState } from '@/ui/EmptyState';
import { Instant } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useSetParams } from '@/ui/params';
import { StatusBadge } from '@/ui/StatusBadge';
import { useTyped } from '@/ui/useTyped';
import { More } from '../More';
import { Body, Rows, Section } from '../Section';
import classes from './AuditLog.module.css';
import { aboutOf, type Command, useCommands, wordsOf } from './operations';

const CREDENTIALS: Record<AuditRow['credentialType'], string> = {
  admin_token: 'admin token',
  api_key: 'API key',
  session: 'web app',
  token: 'identity provider',
  agent_key: 'agent key',
  none: 'no credentials',
};
const OUTCOMES = Object.keys(AUDIT) as AuditRow['outcome'][];

interface Chosen {
  actor: string | null;
  operation: string | null;
  outcome: AuditRow['outcome'] | null;
  from: string | null;
  to: string | null;
}

export function AuditLog() {
  const [params, setParams] = useSearchParams();
  const commands = useCommands();
  const chosen: Chosen = {
    actor: params.get('actor'),
    operation: params.get('operation'),
    outcome: OUTCOMES.find((each) => each === params.get('outcome')) ?? null,
    from: params.get('from'),
    to: params.get('to'),
  };
  const log = useInfiniteQuery({
    queryKey: ['audit', chosen],
    initialPageParam: null as string | null,
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam: cursor, signal }) =>
      take(
        api.GET('/api/v1/audit', {
          params: {
            query: {
              limit: 50,
              ...Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== null)),
              ...(cursor ? { cursor } : {}),
            },
          },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.nextCursor,
  });
  const change = useSetParams();
  const set = (name: keyof Chosen, value: string | null) => change({ [name]: value }, { replace: true });
  const rows = log.data?.pages.flatMap((page) => page.items) ?? [];
  const filtered = Object.values(chosen).some((value) => value !== null);
  return (
    <Section
      title="Audit log"
      about="Every command of this tenant, newest first: an entry is safe before its command is answered. Reads are not in it, nor what agents report."
      actions={
        <Button variant="default" onClick={() => log.refetch()} loading={log.isRefetching && !log.isFetchingNextPage}>
          Read it again
        </Button>
      }
    >
      <search className={classes.filter}>
        <Typed label="Who" placeholder="Anybody" value={chosen.actor} onChange={(value) => set('actor', value)} />
        <Select
          aria-label="Command"
          placeholder="Any command"
          data={[...(commands.data?.keys() ?? (chosen.operation ? [chosen.operation] : []))]
            .map((value) => ({ value, label: wordsOf(value) }))
            .sort((a, b) => a.label.localeCompare(b.label))}
          value={chosen.operation}
          onChange={(value) => set('operation', value)}
          searchable
          clearable
        />
        <Select
          aria-label="Outcome"
          placeholder="Any outcome"
          data={OUTCOMES.map((value) => ({ value, label: AUDIT[value].label }))}
          value={chosen.outcome}
          onChange={(value) => set('outcome', value)}
          clearable
        />
        <Time label="From" value={chosen.from} onChange={(value) => set('from', value)} />
        <Time label="To" value={chosen.to} onChange={(value) => set('to', value)} />
        {filtered && (
          <Button variant="subtle" color="gray" onClick={() => setParams({}, { replace: true })}>
            Clear
          </Button>
        )}
      </search>
      {log.isError ? (
        <Body>
          <ProblemAlert error={log.error} onRetry={() => log.refetch()} />
        </Body>
      ) : log.isSuccess && rows.length === 0 ? (
        <EmptyState icon={IconHistory} title="No command">
          {filtered ? 'No command has all of this. Leave some of the filter out.' : 'Nobody has changed anything yet.'}
        </EmptyState>
      ) : (
        <>
          <Rows label="Commands" head={['When', 'Who', 'Command', 'About', 'Outcome', 'From', 'Took']}>
            {rows.map((each) => (
              <Entry key={each.auditId} row={each} command={commands.data?.get(each.operation)} />
            ))}
          </Rows>
          <More list={log} what="commands" />
        </>
      )}
    </Section>
  );
}

function Entry({ row, command }: { row: AuditRow; command: Command | undefined }) {
  const about = aboutOf(command, row.target);
  return (
    <tr>
      <td className={classes.time}>
        <Instant at={row.startedAt} />
      </td>
      <td className={classes.who}>
        <b>{row.actor}</b>{' '}
        <span className={classes.beside} title={row.credentialId ?? undefined}>
          {CREDENTIALS[row.credentialType]}
          {row.credentialType === 'api_key' && row.credentialId && ` …${row.credentialId.slice(-8)}`}
        </span>
      </td>
      <td className={classes.command} title={command?.does}>
        {wordsOf(row.operation)}
      </td>
      <td className={classes.target} title={row.target ?? undefined}>
        {about?.page ? <Link to={about.page}>{about.text}</Link> : (about?.text ?? '–')}
      </td>
      <td>
        <StatusBadge look={AUDIT[row.outcome]} bare />
        {row.outcome !== 'done' && (
          <span className={classes.soft}>
            {row.status} {row.code}
          </span>
        )}
      </td>
      <td className="mono">{row.source}</td>
      <td className={classes.took}>{row.durationMs === null ? '–' : `${row.durationMs} ms`}</td>
    </tr>
  );
}

function Typed({
  label,
  placeholder,
  value,
  onChange,
}: {
  label: string;
  placeholder: string;
  value: string | null;
  onChange: (value: string | null) => void;
}) {
  const typed = useTyped(value ?? '', (text) => onChange(text || null));
  return (
    <TextInput
      aria-label={label}
      placeholder={placeholder}
      leftSection={<IconSearch size={15} aria-hidden />}
      value={typed.text}
      onChange={(event) => typed.type(event.currentTarget.value)}
    />
  );
}

/** A time of this browser's clock; the address has it in UTC. */
function Time({
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
      aria-label={label}
      className={classes.timeFilter}
      leftSection={label}
      leftSectionWidth={48}
      value={value === null ? '' : localMinute(new Date(value))}
      onChange={(event) => {
        const at = new Date(event.currentTarget.value);
        onChange(Number.isNaN(at.getTime()) ? null : at.toISOString());
      }}
    />
  );
}

function localMinute(at: Date): string {
  if (Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
