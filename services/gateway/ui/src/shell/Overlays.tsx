import '@mantine/notifications/styles.layer.css';
import { Notifications } from '@mantine/notifications';
import { Suspense } from 'react';
import { useQuestion } from '@/ui/confirm';
import { lazyPart } from '@/ui/lazyPart';

const ConfirmDialog = lazyPart(async () => (await import('@/ui/ConfirmDialog')).ConfirmDialog);

/** What comes over any page: questions, and messages, which must be there even when the server is not. */
export function Overlays() {
  const question = useQuestion();
  return (
    <>
      <Notifications position="bottom-right" />
      {question !== null && (
        <Suspense>
          <ConfirmDialog question={question} />
        </Suspense>
      )}
    </>
  );
}
