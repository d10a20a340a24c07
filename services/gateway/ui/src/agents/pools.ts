/** How a pool stands, and why jobs wait in it, in words. */
import type { AgentRow, PoolRow } from '@/api/types';
import type { PoolState } from '@/theme/status';

export interface PoolWords {
  state: PoolState;
  /** The whole sentence: what is, and what would change it. */
  detail: string;
}

/** Where it is told what goes on in a pool. */
export function poolPage(name: string): string {
  return `/automation/agents?tab=pools&inside=${encodeURIComponent(name)}`;
}

/** `agents`: at least those of the pool. */
export function poolWords(pool: PoolRow, agents: readonly AgentRow[]): PoolWords {
  const own = agents.filter((each) => each.pool === pool.name && each.status !== 'revoked');
  const online = own.filter((each) => each.status === 'online' || each.status === 'draining');
  const taking = online.filter((each) => !each.drained);
  if (pool.paused) {
    const why = pool.pauseReason ? `: ${pool.pauseReason}` : '.';
    return {
      state: 'paused',
      detail: `Paused by ${pool.pausedBy ?? 'someone'}${why.replace(/([^.])$/, '$1.')} Nothing new is sent to its agents until it is resumed.`,
    };
  }
  if (own.length === 0) {
    return {
      state: 'empty',
      detail: 'It has no agents. Create one in this pool, and start it where its jobs are to run.',
    };
  }
  if (online.length === 0) {
    return {
      state: 'offline',
      detail: `0 of ${counted(own.length, 'agent')} online. Start one of them, or look why they cannot reach the server.`,
    };
  }
  if (taking.length === 0) {
    return {
      state: 'draining',
      detail: 'Every online agent is being drained and gets nothing new. Resume one of them.',
    };
  }
  const slots = `${pool.running} of ${counted(pool.capacity, 'slot')} in use`;
  if (taking.every((each) => each.running >= each.capacity)) {
    return {
      state: 'full',
      detail: `All agents that take jobs are busy: ${slots}. Jobs wait for the next one to end; add agents or capacity if that takes too long.`,
    };
  }
  return {
    state: 'ready',
    detail: pool.waiting > 0 ? `${slots}. What waits asks for an agent or tags that no free agent has.` : `${slots}.`,
  };
}

export function counted(count: number, what: string): string {
  return `${count.toLocaleString()} ${what}${count === 1 ? '' : 's'}`;
}
