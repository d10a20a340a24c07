import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './theme/tokens.css';
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { MutationCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { RouterProvider } from 'react-router';
import { problemOf } from './api/problem';
import { router } from './routes';
import { theme, variables } from './theme/theme';
import { ConfirmDialog } from './ui/confirm';

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
createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      defaultColorScheme="auto"
      colorSchemeManager={localStorageColorSchemeManager({ key: 'runyard-colour-scheme' })}
    >
      <QueryClientProvider client={queries}>
        <Notifications position="bottom-right" />
        <ConfirmDialog />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
