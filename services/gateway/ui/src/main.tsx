import './first';
import '@mantine/core/styles.layer.css';
import './theme/tokens.css';
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { MutationCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { RouterProvider } from 'react-router';
import { problemOf } from './api/problem';
import { sessionQuery } from './api/session';
import { router } from './routes';
import { theme, variables } from './theme/theme';
import { AtRest } from './ui/AtRest';
import { lazyPart } from './ui/lazyPart';

const Overlays = lazyPart(async () => (await import('./shell/Overlays')).Overlays);

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What the API refuses is refused again; what could not be reached may be there in a moment.
      retry: (count, error) => count < 3 && (problemOf(error).unreachable || problemOf(error).status === 503),
      retryDelay: (attempt) => Math.min(1000 * 2 ** attempt, 8000),
      staleTime: 5000,
      refetchOnWindowFocus: true,
    },
  },
  mutationCache: new MutationCache(),
});

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no #root');
const app = (
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      defaultColorScheme="auto"
      colorSchemeManager={localStorageColorSchemeManager({ key: 'runyard-colour-scheme' })}
    >
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
        <AtRest>
          <Overlays />
        </AtRest>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>
);
// Mostly it is known in a moment who is signed in: then nothing has to be drawn for the time until it is.
const known = queries.prefetchQuery(sessionQuery);
const late = new Promise((resolve) => setTimeout(resolve, 150));
void Promise.race([known, late]).then(() => createRoot(root).render(app));
