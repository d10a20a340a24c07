/** Which workflows a connection holds up: those whose version that runs uses it (R52). */
import { Anchor, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { api, take } from '@/api/client';
import type { WorkflowRow } from '@/api/types';
import classes from './UsedBy.module.css';

const SHOWN = 8;

/** By name; `more`: there are others, which the list of workflows has. */
export interface Usage {
  workflows: readonly WorkflowRow[];
  more: boolean;
}

export function usageQuery(connection: string) {
  return {
    queryKey: ['connections', 'usage', connection],
    queryFn: async ({ signal }: { signal?: AbortSignal }): Promise<Usage> => {
      const query = { connection, limit: 200 };
      const { items, nextCursor } = await take(api.GET('/api/v1/workflows', { params: { query }, signal }));
      return { workflows: items, more: nextCursor !== null };
    },
  };
}

/** `3 workflows`, of those that run or could. */
export function countOf({ workflows, more }: Usage): string {
  return `${more ? 'over ' : ''}${workflows.length} ${workflows.length === 1 ? 'workflow' : 'workflows'}`;
}

export function UsedBy({ connection }: { connection: string }) {
  const usage = useQuery(usageQuery(connection));
  return (
    <section aria-label="Used by">
      <Text fw={600} size="sm">
        Used by
      </Text>
      {usage.isError ? (
        <Text size="sm" c="dimmed">
          Which workflows use it could not be found out: {usage.error.message}
        </Text>
      ) : usage.isPending ? (
        <Text size="sm" c="dimmed">
          Looking …
        </Text>
      ) : usage.data.workflows.length === 0 ? (
        <Text size="sm" c="dimmed">
          No published workflow. A workflow uses it by its name: <code>connection: {connection}</code>
        </Text>
      ) : (
        <Workflows connection={connection} usage={usage.data} link={linked} />
      )}
    </section>
  );
}

type LinkTo = (to: string, words: string) => ReactNode;

const linked: LinkTo = (to, words) => (
  <Anchor component={Link} size="sm" to={to}>
    {words}
  </Anchor>
);
/** Beside the page, so that the question stays. */
const beside: LinkTo = (to, words) => (
  <Anchor href={to} target="_blank" size="sm">
    {words}
  </Anchor>
);

function Workflows({ connection, usage, link }: { connection: string; usage: Usage; link: LinkTo }) {
  return (
    <>
      <ul className={classes.list}>
        {usage.workflows.slice(0, SHOWN).map((each) => (
          <li key={each.workflowId}>
            {link(`/automation/workflows/${each.workflowId}`, each.name)}
            {!each.active && <span className={classes.soft}> not active</span>}
          </li>
        ))}
      </ul>
      {usage.workflows.length > SHOWN &&
        link(`/automation/workflows?connection=${encodeURIComponent(connection)}`, `All ${countOf(usage)}`)}
    </>
  );
}

/** In a question before something is done to it; of null it is not known. */
export function Affected({ connection, usage, what }: { connection: string; usage: Usage | null; what: string }) {
  if (usage === null)
    return (
      <p className={classes.affected}>
        <b>Which workflows use it could not be found out.</b>
      </p>
    );
  if (usage.workflows.length === 0) return <p className={classes.affected}>No published workflow uses it.</p>;
  return (
    <div className={classes.affected}>
      <b>
        {countOf(usage)} {usage.workflows.length === 1 && !usage.more ? 'uses' : 'use'} it{what}
      </b>
      <Workflows connection={connection} usage={usage} link={beside} />
    </div>
  );
}
