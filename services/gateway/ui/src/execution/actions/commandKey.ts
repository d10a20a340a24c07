import { useRef } from 'react';
import { newKey } from '@/api/client';
import { problemOf } from '@/api/problem';

/**
 * The Idempotency-Key of a command that may be sent again: the same as long as nobody knows what became of the request, another
 * one for another request and after an answer.
 */
export function useCommandKey(request: string): { key: () => string; onError: (error: unknown) => void } {
  const last = useRef<{ request: string; key: string } | null>(null);
  return {
    key: () => {
      if (last.current?.request !== request) last.current = { request, key: newKey() };
      return last.current.key;
    },
    onError: (error) => {
      const { unreachable, status } = problemOf(error);
      if (!unreachable && status < 500) last.current = null;
    },
  };
}
