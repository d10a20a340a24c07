import { Page } from '@/ui/Page';

export function EditorPage() {
  return <Page title="Editor">{null}</Page>;
}
