import '@mantine/notifications/styles.layer.css';
import { Notifications } from '@mantine/notifications';
import { ConfirmDialog } from '@/ui/ConfirmDialog';

/** What comes over any page: messages and questions. They wait for this to be there. */
export function Overlays() {
  return (
    <>
      <Notifications position="bottom-right" />
      <ConfirmDialog />
    </>
  );
}
