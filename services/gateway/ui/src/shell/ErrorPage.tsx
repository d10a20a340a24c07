import { Center } from '@mantine/core';
import { useEffect } from 'react';
import { useRouteError } from 'react-router';
import { ProblemAlert } from '@/ui/ProblemAlert';

const ASK_MS = 2000;
/** Loading again is of no use so soon after it was done. */
const AGAIN_MS = 20_000;
const LOADED_AGAIN = 'runyard-loaded-again';

/**
 * A page that could not be shown. One that could not be loaded, because the server is away or a new version of the app has taken the
 * place of the one that is open, is opened as soon as the server answers.
 */
export function ErrorPage() {
  const error = useRouteError();
  const isMissing = isNotLoaded(error);
  useEffect(() => {
    if (!isMissing || Date.now() - Number(sessionStorage.getItem(LOADED_AGAIN)) < AGAIN_MS) return;
    const timer = setInterval(async () => {
      if (!(await answers())) return;
      sessionStorage.setItem(LOADED_AGAIN, String(Date.now()));
      window.location.reload();
    }, ASK_MS);
    return () => clearInterval(timer);
  }, [isMissing]);
  return (
    <Center mih="60vh" p="md">
      <ProblemAlert
        title={isMissing ? 'This page cannot be loaded now' : 'This page could not be shown'}
        error={isMissing ? new Error('Runyard does not answer. The page is opened as soon as it does.') : error}
        onRetry={() => window.location.reload()}
      />
    </Center>
  );
}

/** In the words of Vite, Chromium, Firefox and Safari. */
function isNotLoaded(error: unknown): boolean {
  return (
    error instanceof Error &&
    /preload CSS|dynamically imported module|Importing a module script failed/i.test(error.message)
  );
}

async function answers(): Promise<boolean> {
  try {
    return (await fetch(window.location.pathname, { cache: 'no-store' })).ok;
  } catch {
    return false; // still away
  }
}
