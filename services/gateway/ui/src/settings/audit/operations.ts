/** The commands of the API, by the names that the audit log has for them: what each does, and what its target is. */
import { useQuery } from '@tanstack/react-query';
import { Problem } from '@/api/problem';

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
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The page of what a command was about, by its path and the ids in it; null if it has none. */
export function pageOf(command: Command | undefined, target: string | null): string | null {
  if (command === undefined || target === null) return null;
  const first = target.split(/[ ,/]+/)[0] ?? '';
  if (!/^[0-9a-f-]{36}$/i.test(first)) return null;
  if (command.path.startsWith('/api/v1/executions/{executionId}')) return `/automation/executions/${first}`;
  if (command.path.startsWith('/api/v1/workflows/{workflowId}')) return `/automation/workflows/${first}`;
  return null;
}
