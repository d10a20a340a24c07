import { useCallback } from 'react';
import { useSearchParams } from 'react-router';

interface Options {
  replace?: boolean;
}

/**
 * Changes the parameters of the address. The address itself is read, not what was rendered of it: two changes in quick succession
 * must not undo one another.
 */
export function useChangeParams(): (make: (params: URLSearchParams) => void, options?: Options) => void {
  const [, setParams] = useSearchParams();
  return useCallback(
    (make, options) => {
      const after = new URLSearchParams(window.location.search);
      make(after);
      setParams(after, { preventScrollReset: true, ...options });
    },
    [setParams],
  );
}

/** Changes some parameters of the address and leaves the others; null removes one. */
export function useSetParams(): (changes: Record<string, string | null>, options?: Options) => void {
  const change = useChangeParams();
  return useCallback(
    (changes, options) =>
      change((after) => {
        for (const [name, value] of Object.entries(changes)) {
          if (value === null || value === '') after.delete(name);
          else after.set(name, value);
        }
      }, options),
    [change],
  );
}

export function useParam(name: string): string | null {
  const [params] = useSearchParams();
  return params.get(name);
}
