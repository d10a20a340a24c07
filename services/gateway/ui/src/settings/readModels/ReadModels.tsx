/** The read models (R69): how far each is behind the log and why, whether it is what the log says, and how to mend it. */
import { Button, Menu, Progress } from '@mantine/core';
import { IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { api, take } from '@/api/client';
import { useMay } from '@/api/session';
import type { ReadModel } from '@/api/types';
import { READ_MODEL } from '@/theme/status';
import { confirm } from '@/ui/confirm';
import { Distance, Instant } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { StatusBadge } from '@/ui/StatusBadge';
import { durationText } from '@/ui/time';
import { said } from '@/ui/toast';
import { RowMenu } from '../RowMenu';
import { Body, Rows, Section } from '../Section';
import { useSend } from '../useSend';
import classes from './ReadModels.module.css';
import { goesOn, percent } from './upkeep';

const READ_MODELS = ['read-models'] as const;

export function ReadModels() {
  const may = useMay('automation:installation');
  const models = useQuery({
    queryKey: READ_MODELS,
    queryFn: async ({ signal }) => (await take(api.GET('/api/v1/projections', { signal }))).items,
    refetchInterval: (query) => (query.state.data?.some(goesOn) ? 500 : 2000),
  });
  const rebuild = useSend({
    send: (names: string[], header) =>
      take(api.POST('/api/v1/projections/rebuild', { params: { header }, body: { names } })),
    changes: READ_MODELS,
    done: ({ names }) => said(`${names.join(', ')}: the rebuild has begun.`),
    failure: () => 'No rebuild has begun',
  });
  const check = useSend({
    send: (names: string[], header) =>
      take(api.POST('/api/v1/projections/checksum', { params: { header }, body: { names } })),
    changes: READ_MODELS,
    done: ({ names }) => said(`${names.join(', ')}: the comparison with the log has begun.`),
    failure: () => 'No comparison has begun',
  });
  const under = models.data?.some(goesOn) ?? false;
  const busy = under || rebuild.isPending || check.isPending;
  const ask = async (names: string[]) => {
    const sure = await confirm({
      title: names.length === 0 ? 'Rebuild all read models?' : `Rebuild ${names.join(', ')}?`,
      body: 'It is made anew from the log, beside the one that is read, and takes its place when it has caught up. Nothing stops meanwhile; the database works harder.',
      action: 'Rebuild',
    });
    if (sure) rebuild.mutate(names);
  };
  return (
    <Section
      title="Read models"
      about={
        <>
          Lists and figures are read from these. They hold nothing that the log does not: each can be compared with it,
          and made anew from it, while everything runs. {!may && 'Both need the admin token: they concern all tenants.'}
        </>
      }
      actions={
        may && (
          <>
            <Button variant="default" disabled={busy} loading={check.isPending} onClick={() => check.mutate([])}>
              Compare all with the log
            </Button>
            <Button variant="default" disabled={busy} loading={rebuild.isPending} onClick={() => ask([])}>
              Rebuild all
            </Button>
          </>
        )
      }
    >
      {models.isError ? (
        <Body>
          <ProblemAlert error={models.error} onRetry={() => models.refetch()} />
        </Body>
      ) : (
        <Rows
          label="Read models"
          head={['Name', 'Status', 'Behind', 'Last rebuild', 'Last comparison', ...(may ? ['!Actions'] : [])]}
        >
          {(models.data ?? []).map((each) => (
            <tr key={each.name}>
              <td className={classes.name}>{each.name}</td>
              <td className={classes.status} aria-live="polite">
                <StatusBadge look={READ_MODEL[each.status]} bare />
                {each.reason && <span className={classes.reason}>{each.reason}</span>}
              </td>
              <td className={classes.behind}>
                {each.lagEvents === 0
                  ? 'Nothing'
                  : `${each.lagEvents.toLocaleString('en')} events, ${durationText(each.lagSeconds * 1000)}`}
                <span className={classes.reason}>
                  at {each.position.toLocaleString('en')} of {each.head.toLocaleString('en')}
                </span>
              </td>
              <td className={classes.upkeep}>
                <Upkeep work={each.rebuild} name={each.name} kind="Rebuild" done="Made anew" />
              </td>
              <td className={classes.upkeep}>
                <Upkeep work={each.checksum} name={each.name} kind="Comparison" done={<Verdict model={each} />} />
              </td>
              {may && (
                <td>
                  <RowMenu label={`Actions for ${each.name}`} busy={false} disabled={busy}>
                    <Menu.Item onClick={() => check.mutate([each.name])}>Compare with the log</Menu.Item>
                    <Menu.Item onClick={() => ask([each.name])}>Rebuild …</Menu.Item>
                  </RowMenu>
                </td>
              )}
            </tr>
          ))}
        </Rows>
      )}
    </Section>
  );
}

function Upkeep({
  work,
  name,
  kind,
  done,
}: {
  work: ReadModel['rebuild'];
  name: string;
  kind: string;
  done: React.ReactNode;
}) {
  if (work === null) return <span className={classes.soft}>Never</span>;
  if (work.failure !== null) {
    return (
      <span className={classes.bad}>
        <IconCircleX size={15} aria-hidden /> {work.failure}
      </span>
    );
  }
  if (work.finishedAt === null) {
    const value = percent(work);
    return (
      <span className={classes.progress}>
        {value} %, {work.position.toLocaleString('en')} of {work.head.toLocaleString('en')}
        <Progress value={value} size="sm" color="var(--ry-blue)" aria-label={`${kind} of ${name}`} />
      </span>
    );
  }
  return (
    <>
      <span>{done}</span>
      <span className={classes.reason}>
        <Distance at={work.finishedAt} /> by {work.startedBy}
        {work.startedAt && (
          <>
            , in {durationText(Date.parse(work.finishedAt) - Date.parse(work.startedAt))}
            <span className="visually-hidden">
              , begun <Instant at={work.startedAt} />
            </span>
          </>
        )}
      </span>
    </>
  );
}

function Verdict({ model: { checksum } }: { model: ReadModel }) {
  const differences = checksum?.differences ?? [];
  if (differences.length === 0) {
    return (
      <span className={classes.good}>
        <IconCircleCheck size={15} aria-hidden /> What the log says
      </span>
    );
  }
  return (
    <span className={classes.bad}>
      <IconCircleX size={15} aria-hidden />
      <span>
        Differs: rebuild it
        {differences.map((each) => (
          <span key={each.table} className={classes.difference}>
            {each.table}: {each.rows.toLocaleString('en')} rows, the log gives {each.expected.toLocaleString('en')}
            {each.keys.length > 0 && <code className={classes.keys}>{each.keys.join(', ')}</code>}
          </span>
        ))}
      </span>
    </span>
  );
}
