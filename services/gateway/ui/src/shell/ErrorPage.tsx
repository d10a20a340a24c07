import { Center } from '@mantine/core';
import { useRouteError } from 'react-router';
import { ProblemAlert } from '@/ui/ProblemAlert';

/** A page that could not be shown. A new version of the app may have taken the place of the one that is open: loading it again helps. */
export function ErrorPage() {
  const error = useRouteError();
  return (
    <Center mih="60vh" p="md">
      <ProblemAlert title="This page could not be shown" error={error} onRetry={() => window.location.reload()} />
    </Center>
  );
}
