/** Signing in with an API key: the browser gets a session's cookie, and the key is kept nowhere. */
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import { api, setCsrfToken, take } from '@/api/client';
import { type Problem, problemOf } from '@/api/problem';
import { SESSION_KEY } from '@/api/session';

export interface SigningIn {
  signIn: (key: string) => Promise<void>;
  busy: boolean;
  problem: Problem | null;
  /** When the next attempt is taken, after too many; null: now. */
  againAt: number | null;
}

export function useSignIn(): SigningIn {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [againAt, setAgainAt] = useState<number | null>(null);

  const signIn = useCallback(
    async (key: string) => {
      setBusy(true);
      setProblem(null);
      setAgainAt(null);
      try {
        const session = await take(api.POST('/api/v1/session', { body: { key: key.trim() } }));
        setCsrfToken(session.csrfToken);
        // what somebody else saw in this browser before is not for whoever signs in now
        client.removeQueries({ predicate: (query) => query.queryKey[0] !== SESSION_KEY[0] });
        client.setQueryData(SESSION_KEY, session);
      } catch (error) {
        const known = problemOf(error);
        const seconds = Number(known.extra.retryAfterSeconds);
        if (known.status === 429 && seconds > 0) setAgainAt(Date.now() + seconds * 1000);
        setProblem(known);
      } finally {
        setBusy(false);
      }
    },
    [client],
  );
  return { signIn, busy, problem, againAt };
}
