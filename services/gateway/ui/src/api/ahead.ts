/**
 * What a visit needs first is asked before the app is there to ask. Each answer is handed out once, to whoever asks the same;
 * one that nobody asks for has cost a request.
 */
import { firstPage, readFilter } from '@/executions/filter';

const asked = new Map<string, Promise<Response>>();

/** For a visit that begins at this address. */
export function askAhead({ pathname, search }: Pick<Location, 'pathname' | 'search'>): void {
  if (pathname === '/sign-in') return;
  ask('/api/v1/session');
  if (['/', '/automation', '/automation/executions'].includes(pathname)) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(firstPage(readFilter(new URLSearchParams(search)), Date.now())))
      for (const each of [value].flat()) query.append(name, String(each));
    ask(`/api/v1/executions?${query}`);
  }
}

function ask(address: string): void {
  const answer = fetch(address);
  answer.catch(() => {}); // whoever asks for it is told
  asked.set(keyOf(address), answer);
}

function keyOf(address: string): string {
  const url = new URL(address, location.origin);
  url.searchParams.sort();
  return url.href;
}

/** As `fetch`. Only what went well is taken from before: somebody may have signed in meanwhile. */
export async function fetchOrTake(request: Request): Promise<Response> {
  if (asked.size > 0 && request.method === 'GET') {
    const key = keyOf(request.url);
    const before = asked.get(key);
    asked.delete(key);
    const answer = await before?.catch(() => null);
    if (answer?.ok) return answer;
  }
  return fetch(request);
}
