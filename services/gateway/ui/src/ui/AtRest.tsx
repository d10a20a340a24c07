import { type ReactNode, Suspense, useEffect, useState } from 'react';

/** For parts that no page needs to be used: there as soon as the browser has nothing better to do. */
export function AtRest({ children }: { children: ReactNode }) {
  const [atRest, setAtRest] = useState(false);
  useEffect(() => {
    const then = () => setAtRest(true);
    // Safari has none
    if (!('requestIdleCallback' in window)) {
      const timer = setTimeout(then, 500);
      return () => clearTimeout(timer);
    }
    const asked = requestIdleCallback(then, { timeout: 2000 });
    return () => cancelIdleCallback(asked);
  }, []);
  return atRest && <Suspense>{children}</Suspense>;
}
