/** What can be done to an agent, each after the question that says what will happen. */
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, take } from '@/api/client';
import type { AgentRow } from '@/api/types';
import { confirm } from '@/ui/confirm';
import { failed, said } from '@/ui/toast';
import type { AgentKey } from './AgentKeyDialog';
import { counted } from './pools';
import { reread } from './queries';

export type Command = 'drain' | 'resume' | 'rotate' | 'revoke';

export function useAgentCommands(agent: AgentRow, onKey: (key: AgentKey) => void) {
  const client = useQueryClient();
  const [busy, setBusy] = useState<Command | null>(null);
  const params = { path: { agentId: agent.agentId } };
  const running = agent.running > 0 ? counted(agent.running, 'running job') : null;

  const command = async (what: Command, not: string, send: () => Promise<void>) => {
    setBusy(what);
    try {
      await send();
    } catch (error) {
      failed(not, error);
    } finally {
      setBusy(null);
      await reread(client);
    }
  };

  return {
    busy,
    drain: () =>
      command('drain', `${agent.name} was not drained`, async () => {
        await take(api.POST('/api/v1/agents/{agentId}/drain', { params }));
        said(running ? `${agent.name} finishes its ${running} and gets nothing new` : `${agent.name} gets nothing new`);
      }),
    resume: () =>
      command('resume', `${agent.name} was not resumed`, async () => {
        await take(api.POST('/api/v1/agents/{agentId}/resume', { params }));
        said(`${agent.name} gets jobs again`);
      }),
    rotate: async () => {
      const yes = await confirm({
        title: `A new key for ${agent.name}`,
        body: `Its old key, and whoever uses it, is cut off at once: the process that runs with it stops${
          running ? `, and its ${running} are lost` : ''
        }. Start it again with the new key, which is shown once.`,
        action: 'Make a new key',
        dangerous: true,
      });
      if (!yes) return;
      await command('rotate', `${agent.name} keeps its key`, async () =>
        onKey(await take(api.POST('/api/v1/agents/{agentId}/rotate-key', { params }))),
      );
    },
    revoke: async () => {
      const yes = await confirm({
        title: `Revoke ${agent.name}`,
        body: `It is cut off at once and for good: its key opens nothing more${
          running ? `, and its ${running} count as lost` : ''
        }. To use the name again, create the agent anew.`,
        action: 'Revoke it',
        dangerous: true,
      });
      if (!yes) return;
      await command('revoke', `${agent.name} was not revoked`, async () => {
        await take(api.POST('/api/v1/agents/{agentId}/revoke', { params }));
        said(`${agent.name} is revoked`);
      });
    },
  };
}
