/** An agent tries the connection from where it is, and says what it found. */
import { Button, Group, Select, Stack, Text } from '@mantine/core';
import { IconCircleCheck, IconCircleX, IconPlayerPlay } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useAgents } from '@/agents/queries';
import { api, take } from '@/api/client';
import { problemOf } from '@/api/problem';
import type { ConnectionRow } from '@/api/types';
import { useNow } from '@/ui/clock';
import { Distance } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { durationText } from '@/ui/time';
import classes from './ConnectionTest.module.css';
import { reread } from './queries';

export function ConnectionTest({
  row,
  reason,
}: {
  row: ConnectionRow;
  /** Why it cannot be tested now. */
  reason: string | null;
}) {
  const client = useQueryClient();
  const agents = useAgents(false);
  const [agent, setAgent] = useState<string | null>(null);
  const [began, setBegan] = useState(0);
  const test = useMutation({
    mutationFn: () =>
      take(
        api.POST('/api/v1/connections/{connectionId}/test', {
          params: { path: { connectionId: row.connectionId } },
          body: { agent },
        }),
      ),
    onMutate: () => setBegan(Date.now()),
    onSettled: () => reread(client),
  });
  const able = (agents.data ?? []).filter(
    (each) =>
      (each.status === 'online' || each.status === 'draining') &&
      (row.pools.length === 0 || row.pools.includes(each.pool)),
  );
  const pools = [...new Set(able.map((each) => each.pool))].sort();
  return (
    <section aria-labelledby="connection-test">
      <h3 id="connection-test" className={classes.heading}>
        Test
      </h3>
      <Stack gap="sm">
        <Group align="flex-end" gap="xs">
          <Select
            className={classes.agent}
            label="Agent that tries it"
            description="From where it is; nothing is changed at the other end."
            placeholder="The healthiest that may use it"
            data={pools.map((pool) => ({
              group: `Pool ${pool}`,
              items: able.filter((each) => each.pool === pool).map((each) => each.name),
            }))}
            value={agent}
            onChange={setAgent}
            nothingFoundMessage="No agent that may use it is online"
            disabled={reason !== null || test.isPending}
            clearable
            searchable
          />
          <Button
            variant="default"
            leftSection={<IconPlayerPlay size={15} aria-hidden />}
            loading={test.isPending}
            disabled={reason !== null}
            onClick={() => test.mutate()}
          >
            Test it
          </Button>
        </Group>
        {reason !== null && (
          <Text size="sm" c="dimmed">
            {reason}
          </Text>
        )}
        <div role="status">
          {test.isPending ? (
            <Trying agent={agent} began={began} />
          ) : test.data ? (
            <Result
              ok={test.data.ok}
              message={test.data.message}
              agent={test.data.agent}
              when={<>in {durationText(test.data.durationMs)}, just now</>}
            />
          ) : row.tested && !test.error ? (
            <Result
              ok={row.tested.ok}
              message={row.tested.message}
              agent={row.tested.agent}
              when={<Distance at={row.tested.at} />}
            />
          ) : null}
        </div>
        {test.error && <ProblemAlert error={problemOf(test.error)} title="It was not tested" />}
      </Stack>
    </section>
  );
}

function Trying({ agent, began }: { agent: string | null; began: number }) {
  const now = useNow();
  return (
    <Text size="sm" className="numbers">
      {agent ?? 'An agent'} tries it … {Math.max(0, Math.floor((now - began) / 1000))} s
    </Text>
  );
}

function Result({ ok, message, agent, when }: { ok: boolean; message: string; agent: string; when: React.ReactNode }) {
  const Icon = ok ? IconCircleCheck : IconCircleX;
  return (
    <div className={classes.result} data-ok={ok}>
      <Icon size={20} aria-hidden className={classes.icon} />
      <div>
        <b>{ok ? 'It works' : 'It does not work'}</b>
        <div className={classes.message}>{message}</div>
        <div className={classes.by}>
          {agent}, {when}
        </div>
      </div>
    </div>
  );
}
