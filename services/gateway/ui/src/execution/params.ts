import { useCallback } from 'react';
import { useSearchParams } from 'react-router';

/** Changes some parameters of the address and leaves the others; null removes one. */
export function useSetParams(): (changes: Record<string, string | null>, options?: { replace?: boolean }) => void {
  const [, setParams] = useSearchParams();
  return useCallback(
    (changes, options) =>
      setParams((before) => {
        const after = new URLSearchParams(before);
        for (const [name, value] of Object.entries(changes)) {
          if (value === null || value === '') after.delete(name);
          else after.set(name, value);
        }
        return after;
      }, options),
    [setParams],
  );
}

export function useParam(name: string): string | null {
  const [params] = useSearchParams();
  return params.get(name);
}
