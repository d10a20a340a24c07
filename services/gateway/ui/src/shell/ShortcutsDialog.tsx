import { Modal } from '@mantine/core';
import { ShortcutsTable } from '@/ui/ShortcutsTable';

/** The keys of the page, listed. */
export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Keys">
      <ShortcutsTable />
    </Modal>
  );
}
