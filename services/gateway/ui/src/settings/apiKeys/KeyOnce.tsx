import type { components } from '@/api/schema';
import { Copied, ShownOnceDialog } from '@/ui/ShownOnce';

export type KeyMade = components['schemas']['ApiKeyMade'];

/** A new API key, this once: to sign in with, or for a program. */
export function KeyOnce({ made, onClose }: { made: KeyMade | null; onClose: () => void }) {
  const address = `${window.location.origin}/sign-in`;
  return (
    <ShownOnceDialog
      title={made && `A key of ${made.user}`}
      lost="If it is lost, revoke it and make another one."
      onClose={onClose}
    >
      {made && (
        <>
          <Copied label="Key" text={made.key} />
          <div>
            For a person: they sign in with it at <code>{address}</code>. For a program:
          </div>
          <Copied
            label="Command"
            text={`curl -H 'Authorization: Bearer ${made.key}' ${window.location.origin}/api/v1/executions`}
          />
        </>
      )}
    </ShownOnceDialog>
  );
}
