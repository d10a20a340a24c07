import { Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, take } from '@/api/client';
import { useMay } from '@/api/session';
import type { AgentRow, PoolRow } from '@/api/types';
import { POOL } from '@/theme/status';
import { confirm } from '@/ui/confirm';
import { ReasonedButton } from '@/ui/ReasonedButton';
import rows from '@/ui/RowTable.module.css';
import { StatusBadge } from '@/ui/StatusBadge';
import { failed, said } from '@/ui/toast';
import { Load } from './Load';
import { PausePoolDialog } from './PausePoolDialog';
import classes from './PoolTable.module.css';
import { poolPage, poolWords } from './pools';
import { reread } from './queries';

export function PoolTable({
  pools,
  agents,
  onNewAgent,
}: {
  pools: readonly PoolRow[];
  agents: readonly AgentRow[];
  /** null: one may not make any. */
  onNewAgent: ((pool: string) => void) | null;
}) {
  const [pausing, setPausing] = useState<PoolRow | null>(null);
  return (
    <>
      <table className={rows.table}>
        <thead>
          <tr>
            <th className={classes.name}>Pool</th>
            <th className={classes.how}>How it is</th>
            <th className={classes.agents}>Agents online</th>
            <th className={classes.load}>Slots</th>
            <th className={classes.waiting}>Waiting jobs</th>
            <th className={classes.buttons}>
              <span className="visually-hidden">Commands</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {pools.map((each) => (
            <Row key={each.name} pool={each} agents={agents} onNewAgent={onNewAgent} onPause={() => setPausing(each)} />
          ))}
        </tbody>
      </table>
      <PausePoolDialog pool={pausing} onClose={() => setPausing(null)} />
    </>
  );
}

function Row({
  pool,
  agents,
  onNewAgent,
  onPause,
}: {
  pool: PoolRow;
  agents: readonly AgentRow[];
  onNewAgent: ((pool: string) => void) | null;
  onPause: () => void;
}) {
  const words = poolWords(pool, agents);
  const inside = poolPage(pool.name);
  return (
    <tr className={rows.row}>
      <td className={classes.name}>
        <Link to={inside} className={rows.link}>
          {pool.name}
        </Link>
        {pool.description && <span className={rows.soft}>{pool.description}</span>}
      </td>
      <td className={classes.how}>
        <StatusBadge look={POOL[words.state]} />
        <span className={rows.soft}>{words.detail}</span>
        {words.state === 'empty' && onNewAgent && (
          <Button
            mt={6}
            size="compact-xs"
            variant="default"
            className={rows.above}
            onClick={() => onNewAgent(pool.name)}
          >
            New agent in {pool.name}
          </Button>
        )}
      </td>
      <td className={classes.agents}>
        <Link to={`/automation/agents?pool=${encodeURIComponent(pool.name)}`} className={`numbers ${rows.above}`}>
          {pool.online} of {pool.agents}
          <span className={classes.narrow}> online</span>
        </Link>
      </td>
      <td className={classes.load}>
        <Load running={pool.running} capacity={pool.capacity} />
      </td>
      <td className={classes.waiting}>
        <span className={classes.count} data-some={pool.waiting > 0}>
          {pool.waiting.toLocaleString()}
          <span className={classes.narrow}> waiting</span>
        </span>
        {pool.waiting > 0 && (
          <Link to={inside} className={`${classes.which} ${rows.above}`}>
            Which, and why
            <Of pool={pool} />
          </Link>
        )}
      </td>
      <td className={classes.buttons}>
        <Commands pool={pool} onPause={onPause} />
      </td>
    </tr>
  );
}

function Commands({ pool, onPause }: { pool: PoolRow; onPause: () => void }) {
  const client = useQueryClient();
  const [busy, setBusy] = useState<'resume' | 'delete' | null>(null);
  const manage = useMay('automation:manage') ? null : 'This needs the permission automation:manage';
  const params = { path: { poolName: pool.name } };

  const command = async (what: 'resume' | 'delete', not: string, send: () => Promise<unknown>, done: string) => {
    setBusy(what);
    try {
      await send();
      said(done);
    } catch (error) {
      failed(not, error);
    } finally {
      setBusy(null);
      await reread(client);
    }
  };
  const resume = () =>
    command(
      'resume',
      `${pool.name} stays paused`,
      () => take(api.POST('/api/v1/pools/{poolName}/resume', { params })),
      `${pool.name} is resumed`,
    );
  const remove = async () => {
    const yes = await confirm({
      title: `Delete the pool ${pool.name}`,
      body: 'Workflows that name it cannot be published any more, and fail where they ask for it. It goes only if it has no agents and nothing waits for it.',
      action: 'Delete it',
      dangerous: true,
    });
    if (yes) {
      await command(
        'delete',
        `${pool.name} was not deleted`,
        () => take(api.DELETE('/api/v1/pools/{poolName}', { params })),
        `${pool.name} is deleted`,
      );
    }
  };
  const used = pool.agents > 0 ? 'Move or revoke its agents first' : null;
  const standing = pool.name === 'default' ? 'The default pool is always there: pause it to keep jobs out of it' : null;
  return (
    <div className={rows.buttons}>
      {pool.paused ? (
        <ReasonedButton
          size="compact-sm"
          variant="default"
          reason={manage}
          loading={busy === 'resume'}
          onClick={resume}
        >
          Resume
          <Of pool={pool} />
        </ReasonedButton>
      ) : (
        <ReasonedButton size="compact-sm" variant="default" reason={manage} onClick={onPause}>
          Pause
          <Of pool={pool} />
          {'\u00a0…'}
        </ReasonedButton>
      )}
      <ReasonedButton
        size="compact-sm"
        variant="subtle"
        color="gray"
        reason={manage ?? standing ?? used}
        loading={busy === 'delete'}
        onClick={remove}
      >
        Delete
        <Of pool={pool} />
        {'\u00a0…'}
      </ReasonedButton>
    </div>
  );
}

/** Whose button it is, for whoever cannot see its row. */
function Of({ pool }: { pool: PoolRow }) {
  return <span className="visually-hidden"> {pool.name}</span>;
}
