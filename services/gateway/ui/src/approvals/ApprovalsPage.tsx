import { Page } from '@/ui/Page';

export function ApprovalsPage() {
  return <Page title="Pending approvals">{null}</Page>;
}
