import { IconMapOff } from '@tabler/icons-react';
import { Link, useLocation } from 'react-router';
import { EmptyState } from '@/ui/EmptyState';
import { Page } from '@/ui/Page';

export function NotFoundPage() {
  const { pathname } = useLocation();
  return (
    <Page title="Not found">
      <EmptyState icon={IconMapOff} title="There is no such page">
        Nothing is at <code>{pathname}</code>. See the <Link to="/automation/executions">executions</Link> or the{' '}
        <Link to="/automation/workflows">workflows</Link>.
      </EmptyState>
    </Page>
  );
}
