/** The one way to the API: typed by its OpenAPI document, with what every request of this app needs. */
import createClient, { type Middleware } from 'openapi-fetch';
import { fetchOrTake } from './ahead';
import { Problem } from './problem';
import type { paths } from './schema';

let csrfToken: string | null = null;
let onSignedOut: () => void = () => {};

/** Told by whoever knows who is signed in. */
export function setCsrfToken(token: string | null): void {
  csrfToken = token;
}

/** `then` is called when the API says that nobody is signed in (any more). */
export function whenSignedOut(then: () => void): void {
  onSignedOut = then;
}

/** A fresh Idempotency-Key. Give the same one to a command that is sent again because nobody knows what became of it. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const ours: Middleware = {
  onRequest({ request }) {
    request.headers.set('Runyard-Via', 'web');
    if (request.method !== 'GET') {
      if (csrfToken) request.headers.set('X-CSRF-Token', csrfToken);
      if (!request.headers.has('Idempotency-Key')) request.headers.set('Idempotency-Key', newKey());
    }
    return request;
  },
  onResponse({ response, schemaPath }) {
    if (response.status === 401 && !schemaPath.startsWith('/api/v1/session')) onSignedOut();
  },
  onError({ error }) {
    if (error instanceof DOMException && error.name === 'AbortError') return error;
    return Problem.unreachable();
  },
};

export const api = createClient<paths>({ baseUrl: '', credentials: 'same-origin', fetch: fetchOrTake });
api.use(ours);

/** The answer of a call, or its problem thrown: `const list = await take(api.GET('/api/v1/executions', …))`. */
export async function take<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw Problem.of(response.status, error);
  return data as T;
}
