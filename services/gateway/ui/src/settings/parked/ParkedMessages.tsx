/** Messages nobody could handle: why, since when, and what is to become of them. */
import { Button, Checkbox, SegmentedControl, Skeleton, Stack, TextInput } from '@mantine/core';
import { IconParking, IconRepeat, IconSearch, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import type { ParkedMessage } from '@/api/types';
import { PARKED } from '@/theme/status';
import { EmptyState } from '@/ui/EmptyState';
import { Distance } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useSetParams } from '@/ui/params';
import { ReasonedButton } from '@/ui/ReasonedButton';
import rowTable from '@/ui/RowTable.module.css';
import { useTyped } from '@/ui/useTyped';
import { More } from '../More';
import { Body, Section } from '../Section';
import { ParkedDrawer } from './ParkedDrawer';
import classes from './ParkedMessages.module.css';
import { type Chosen, useParked } from './queries';
import { useParkedCommands } from './useParkedCommands';
import { kindOf, serviceOf, triedText } from './words';

const STATUSES = Object.keys(PARKED) as Chosen['status'][];

export function ParkedMessages() {
  const [params] = useSearchParams();
  const change = useSetParams();
  const chosen: Chosen = {
    status: STATUSES.find((each) => each === params.get('status')) ?? 'waiting',
    q: params.get('q'),
  };
  const list = useParked(chosen);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  const some = rows.filter((each) => selected.has(each.messageId));
  const set = (name: 'status' | 'q' | 'message', value: string | null, replace = false) => {
    if (name !== 'message') setSelected(new Set());
    change({ [name]: value }, { replace });
  };
  const waiting = chosen.status === 'waiting';
  return (
    <Section
      title="Parked messages"
      about="What a service could not handle is set aside here, alone and with its reason, and the rest of its queue goes on. It is a bug, a message of another version, or somebody's mistake. As it may be of any tenant, only the installation's administrator sees it."
    >
      <search className={classes.bar}>
        <SegmentedControl
          size="xs"
          aria-label="What was done with them"
          data={STATUSES.map((value) => ({ value, label: PARKED[value].label }))}
          value={chosen.status}
          onChange={(status) => set('status', status === 'waiting' ? null : status)}
        />
        <Search value={chosen.q} onChange={(q) => set('q', q, true)} />
        {some.length > 0 && <Bulk some={some} onDone={() => setSelected(new Set())} />}
      </search>
      {list.isError && list.data === undefined ? (
        <Body>
          <ProblemAlert error={list.error} onRetry={() => list.refetch()} />
        </Body>
      ) : list.isPending ? (
        <Body>
          <Stack role="status" aria-label="Loading the parked messages">
            <Skeleton height={24} />
            <Skeleton height={24} />
          </Stack>
        </Body>
      ) : rows.length === 0 ? (
        <Nothing chosen={chosen} />
      ) : (
        <>
          <table className={`${rowTable.table} ${classes.table}`}>
            <thead>
              <tr>
                {waiting && (
                  <th className={classes.check}>
                    <Checkbox
                      size="xs"
                      aria-label="Select all that are shown"
                      checked={some.length === rows.length}
                      indeterminate={some.length > 0 && some.length < rows.length}
                      onChange={(event) =>
                        setSelected(new Set(event.currentTarget.checked ? rows.map((each) => each.messageId) : []))
                      }
                    />
                  </th>
                )}
                <th className={classes.kind}>Message</th>
                <th>Why</th>
                <th className={classes.tried}>Tried</th>
                <th className={classes.when}>{waiting ? 'Parked' : PARKED[chosen.status].label}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((each) => (
                <Row
                  key={each.messageId}
                  message={each}
                  selected={selected.has(each.messageId)}
                  onSelect={(on) =>
                    setSelected((before) => {
                      const next = new Set(before);
                      if (on) next.add(each.messageId);
                      else next.delete(each.messageId);
                      return next;
                    })
                  }
                />
              ))}
            </tbody>
          </table>
          <More list={list} what="messages" />
        </>
      )}
      <ParkedDrawer messageId={params.get('message')} onClose={() => set('message', null)} />
    </Section>
  );
}

function Row({
  message,
  selected,
  onSelect,
}: {
  message: ParkedMessage;
  selected: boolean;
  onSelect: (on: boolean) => void;
}) {
  const [params] = useSearchParams();
  const open = new URLSearchParams(params);
  open.set('message', message.messageId);
  const waiting = message.status === 'waiting';
  return (
    <tr className={rowTable.row}>
      {waiting && (
        <td className={`${classes.check} ${rowTable.above}`}>
          <Checkbox
            size="xs"
            aria-label={`Select ${kindOf(message)} ${message.messageId.slice(0, 12)}`}
            checked={selected}
            onChange={(event) => onSelect(event.currentTarget.checked)}
          />
        </td>
      )}
      <td className={classes.kind}>
        <Link to={`?${open}`} className={rowTable.link}>
          {kindOf(message)}
        </Link>
        <span className={rowTable.soft}>
          for {serviceOf(message.queue)}, {message.queue}
        </span>
      </td>
      <td className={classes.why}>{message.reason}</td>
      <td className={classes.tried}>{triedText(message)}</td>
      <td className={classes.when}>
        <Distance at={message.settledAt ?? message.parkedAt} />
        {message.settledBy !== null && <span className={rowTable.soft}>by {message.settledBy}</span>}
      </td>
    </tr>
  );
}

function Bulk({ some, onDone }: { some: readonly ParkedMessage[]; onDone: () => void }) {
  const { busy, retry, drop } = useParkedCommands();
  const whole = some.filter((each) => each.retryable);
  return (
    <div className={classes.bulk}>
      <ReasonedButton
        size="compact-sm"
        variant="default"
        leftSection={<IconRepeat size={14} aria-hidden />}
        reason={whole.length === 0 ? 'None of them was kept as a whole' : null}
        loading={busy === 'retry'}
        onClick={async () => (await retry(whole)) && onDone()}
      >
        Send {whole.length > 0 && `${whole.length} `}again …
      </ReasonedButton>
      <Button
        size="compact-sm"
        variant="default"
        leftSection={<IconTrash size={14} aria-hidden />}
        loading={busy === 'drop'}
        onClick={async () => (await drop(some)) && onDone()}
      >
        Drop {some.length} …
      </Button>
    </div>
  );
}

function Nothing({ chosen: { status, q } }: { chosen: Chosen }) {
  const [, setParams] = useSearchParams();
  if (q !== null) {
    return (
      <EmptyState icon={IconSearch} title="No message is found">
        None has this in its reason or kind.{' '}
        <Button variant="subtle" size="compact-sm" onClick={() => setParams({}, { replace: true })}>
          Show all that wait
        </Button>
      </EmptyState>
    );
  }
  if (status !== 'waiting') {
    return (
      <EmptyState icon={IconParking} title={`None was ${PARKED[status].label.toLowerCase()}`}>
        What was done with a parked message, and by whom, is told here for 30 days.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconParking} title="No message is parked">
      Every message has been handled. One that a service cannot handle after three attempts comes here, with its reason,
      to be looked at, sent again or dropped. What only cannot be done now, because a database is away, waits and is
      never parked.
    </EmptyState>
  );
}

function Search({ value, onChange }: { value: string | null; onChange: (value: string | null) => void }) {
  const typed = useTyped(value ?? '', (text) => onChange(text || null));
  return (
    <TextInput
      size="xs"
      className={classes.search}
      aria-label="Part of the reason or kind"
      placeholder="Part of the reason or kind"
      leftSection={<IconSearch size={15} aria-hidden />}
      value={typed.text}
      maxLength={200}
      onChange={(event) => typed.type(event.currentTarget.value)}
    />
  );
}
