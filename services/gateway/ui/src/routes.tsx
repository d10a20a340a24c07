/** Every page and its address. Pages are loaded when they are opened, so that the list of executions does not wait for an editor. */
import { createBrowserRouter, Navigate } from 'react-router';
import { ExecutionsPage } from './executions/ExecutionsPage';
import { ErrorPage } from './shell/ErrorPage';
import { Gate } from './shell/Gate';
import { NotFoundPage } from './shell/NotFoundPage';

export const router = createBrowserRouter([
  {
    errorElement: <ErrorPage />,
    children: [
      { path: '/sign-in', lazy: async () => ({ Component: (await import('./signIn/SignInPage')).SignInPage }) },
      {
        element: <Gate />,
        errorElement: <ErrorPage />,
        children: [
          {
            // what surrounds a page stays, whatever becomes of the page
            errorElement: <ErrorPage />,
            children: [
              { index: true, element: <Navigate to="/automation/executions" replace /> },
              { path: '/automation', element: <Navigate to="/automation/executions" replace /> },
              { path: '/automation/executions', Component: ExecutionsPage },
              {
                path: '/automation/approvals',
                lazy: async () => ({ Component: (await import('./approvals/ApprovalsPage')).ApprovalsPage }),
              },
              {
                path: '/automation/executions/:executionId',
                lazy: async () => ({ Component: (await import('./execution/ExecutionPage')).ExecutionPage }),
              },
              {
                path: '/automation/workflows',
                lazy: async () => ({ Component: (await import('./workflows/WorkflowsPage')).WorkflowsPage }),
              },
              {
                path: '/automation/workflows/new',
                lazy: async () => ({ Component: (await import('./editor/EditorPage')).EditorPage }),
              },
              {
                path: '/automation/workflows/:workflowId',
                lazy: async () => ({ Component: (await import('./workflows/WorkflowPage')).WorkflowPage }),
              },
              {
                path: '/automation/workflows/:workflowId/edit',
                lazy: async () => ({ Component: (await import('./editor/EditorPage')).EditorPage }),
              },
              {
                path: '/automation/analytics',
                lazy: async () => ({ Component: (await import('./analytics/AnalyticsPage')).AnalyticsPage }),
              },
              {
                path: '/automation/analytics/jobs',
                lazy: async () => ({ Component: (await import('./analytics/JobsPage')).JobsPage }),
              },
              {
                path: '/automation/agents',
                lazy: async () => ({ Component: (await import('./agents/AgentsPage')).AgentsPage }),
              },
              {
                path: '/automation/connections',
                lazy: async () => ({ Component: (await import('./connections/ConnectionsPage')).ConnectionsPage }),
              },
              {
                path: '/settings/:section?',
                lazy: async () => ({ Component: (await import('./settings/SettingsPage')).SettingsPage }),
              },
              { path: '*', element: <NotFoundPage /> },
            ],
          },
        ],
      },
    ],
  },
]);
