/** Who is signed in, for every page; nobody gets further than the sign-in page without. */
import { queryOptions, useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect } from 'react';
import { api, setCsrfToken, take, whenSignedOut } from './client';
import { Problem } from './problem';
import type { Permission, SessionDetail } from './types';

const Session = createContext<SessionDetail | null>(null);

export const SESSION_KEY = ['session'] as const;

/** null: nobody is signed in. */
export const sessionQuery = queryOptions({
  queryKey: SESSION_KEY,
  staleTime: 60_000,
  queryFn: async (): Promise<SessionDetail | null> => {
    try {
      const session = await take(api.GET('/api/v1/session'));
      setCsrfToken(session.csrfToken);
      return session;
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return null;
      throw error;
    }
  },
});

export function useSessionQuery() {
  return useQuery(sessionQuery);
}

export function SessionProvider({ session, children }: { session: SessionDetail; children: ReactNode }) {
  const client = useQueryClient();
  useEffect(() => {
    whenSignedOut(() => client.setQueryData(SESSION_KEY, null));
    return () => whenSignedOut(() => {});
  }, [client]);
  return <Session value={session}>{children}</Session>;
}

/** Whoever is signed in; only below `SessionProvider`. */
export function useSession(): SessionDetail {
  const session = useContext(Session);
  if (session === null) throw new Error('used outside of SessionProvider');
  return session;
}

/** Whether whoever is signed in may do this. What they may not do is not shown, or shown disabled with the reason. */
export function useMay(permission: Permission): boolean {
  return useSession().permissions.includes(permission);
}
