import { Page } from '@/ui/Page';

export function ExecutionPage() {
  return <Page title="Execution">{null}</Page>;
}
