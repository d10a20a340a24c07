import { useRef } from 'react';
import { newKey } from './client';

/**
 * The Idempotency-Key of a form: the same one for as long as the same is sent, so that to send it again after a lost answer does
 * not do it twice. Call `done` once it has been done: the next is another command.
 */
export function useOnceKey(): { keyOf: (body: unknown) => string; done: () => void } {
  const last = useRef<{ sent: string; key: string } | null>(null);
  return {
    keyOf: (body) => {
      const sent = JSON.stringify(body);
      if (last.current?.sent !== sent) last.current = { sent, key: newKey() };
      return last.current.key;
    },
    done: () => {
      last.current = null;
    },
  };
}
