/** Nobody leaves what is not saved by a slip: within the app it is asked in words, at its end by the browser. */
import { type RefObject, useEffect } from 'react';
import { useBlocker } from 'react-router';
import { confirm } from '@/ui/confirm';

/** `moving`: the page is left on purpose, and nothing is asked. */
export function useAskBeforeLeaving(unsaved: boolean, name: string, moving: RefObject<boolean>): void {
  const blocker = useBlocker(
    ({ currentLocation, nextLocation }) =>
      unsaved && !moving.current && currentLocation.pathname !== nextLocation.pathname,
  );
  useEffect(() => {
    if (blocker.state !== 'blocked') return;
    void confirm({
      title: 'Leave without saving?',
      body: `What you changed in ${name} since it was last saved would be lost.`,
      action: 'Leave, and lose it',
      dangerous: true,
    }).then((yes) => (yes ? blocker.proceed() : blocker.reset()));
  }, [blocker, name]);
  useEffect(() => {
    if (!unsaved) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [unsaved]);
}
