/** What is opened gives the focus back when it is gone, unless something else has taken it: an overlay that is taken down does not. */
import { useEffect, useRef } from 'react';

export function useFocusBack(): void {
  const opener = useRef(document.activeElement);
  useEffect(
    () => () => {
      if (document.activeElement === document.body && opener.current instanceof HTMLElement) opener.current.focus();
    },
    [],
  );
}
