/** The commands of the API, by the names that the audit log has for them: what each does, and what its target is. */
import { useQuery } from '@tanstack/react-query';
import { poolPage } from '@/agents/pools';
import { Problem } from '@/api/problem';
import { sentence } from '@/ui/sentence';

export interface Command {
  name: string;
  does: string;
  path: string;
}

interface Described {
  paths: Record<string, Record<string, { operationId?: string; summary?: string }>>;
}

export function commandsOf(document: Described): Map<string, Command> {
  const commands = new Map<string, Command>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { operationId, summary }] of Object.entries(methods)) {
      if (operationId !== undefined && (method !== 'get' || path.startsWith('/api/v1/session')))
        commands.set(operationId, { name: operationId, does: summary ?? '', path });
    }
  }
  return commands;
}

/** From the server's own description, so that it has whatever the server has. */
export function useCommands() {
  return useQuery({
    queryKey: ['openapi', 'commands'],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => {
      const answer = await fetch('/openapi.json', { signal });
      if (!answer.ok) throw Problem.of(answer.status, null);
      return commandsOf((await answer.json()) as Described);
    },
  });
}

/** `cancelExecution` as “Cancel execution”. */
export function wordsOf(operation: string): string {
  const words = operation
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .replace(/\bapi\b/, 'API');
  return sentence(words);
}

/** What a command was about: in words, and the page that shows it, if one does. */
export interface About {
  text: string;
  page: string | null;
}

interface Thing {
  /** What the path of such commands begins with. */
  path: string;
  what: string;
  page: (id: string) => string | null;
}

const THINGS: readonly Thing[] = [
  { path: '/executions/{executionId}', what: 'execution', page: (id) => `/automation/executions/${id}` },
  { path: '/workflows/{workflowId}', what: 'workflow', page: (id) => `/automation/workflows/${id}` },
  { path: '/agents/{agentId}', what: 'agent', page: (id) => `/automation/agents?agent=${id}` },
  { path: '/connections/{connectionId}', what: 'connection', page: (id) => `/automation/connections?connection=${id}` },
  { path: '/pools/{poolName}', what: 'pool', page: poolPage },
  { path: '/approvals/{approvalId}', what: 'approval', page: () => null },
  { path: '/notification-channels/{channelId}', what: 'channel', page: () => '/settings/channels' },
  { path: '/api-keys/{keyId}', what: 'API key', page: () => null },
  { path: '/users/{userName}', what: 'user', page: (id) => `/settings/users?q=${encodeURIComponent(id)}` },
  { path: '/roles/{roleName}', what: 'role', page: () => '/settings/roles' },
  { path: '/tenants/{tenantId}', what: 'tenant', page: () => '/settings/tenants' },
  { path: '/parked-messages/{messageId}', what: 'message', page: (id) => `/settings/parked-messages?message=${id}` },
];
const LONG_ID = /^[0-9a-f-]{36,64}$/i;

/** Ids are cut to their last digits, which tell them apart; null if it was about nothing in particular. */
export function aboutOf(command: Command | undefined, target: string | null): About | null {
  if (target === null) return null;
  const thing = THINGS.find(({ path }) => command?.path.startsWith(`/api/v1${path}`));
  const ids = target.split(' ');
  const [first = ''] = ids;
  const text = ids.map((id) => (LONG_ID.test(id) ? `…${id.slice(-8)}` : id)).join(' ');
  return { text: thing ? `${thing.what} ${text}` : text, page: thing?.page(first) ?? null };
}
