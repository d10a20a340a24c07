import { Page } from '@/ui/Page';

export function ExecutionsPage() {
  return <Page title="Executions">{null}</Page>;
}
