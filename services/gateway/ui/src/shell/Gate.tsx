/** Lets nobody further who is not signed in, and shows everybody else the shell. */
import { Center, Loader } from '@mantine/core';
import { Navigate, Outlet, useLocation } from 'react-router';
import { SessionProvider, useSessionQuery } from '@/api/session';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { Shell } from './Shell';
import { WaitingForMeProvider } from './waitingForMe';

export function Gate() {
  const session = useSessionQuery();
  const location = useLocation();
  if (session.isPending) {
    return (
      <Center h="100vh">
        <Loader aria-label="Signing in" />
      </Center>
    );
  }
  if (session.isError) {
    return (
      <Center h="100vh" p="md">
        <ProblemAlert error={session.error} onRetry={() => session.refetch()} />
      </Center>
    );
  }
  if (session.data === null) {
    return <Navigate to={`/sign-in?returnTo=${encodeURIComponent(location.pathname + location.search)}`} replace />;
  }
  return (
    <SessionProvider session={session.data}>
      <WaitingForMeProvider>
        <Shell>
          <Outlet />
        </Shell>
      </WaitingForMeProvider>
    </SessionProvider>
  );
}
