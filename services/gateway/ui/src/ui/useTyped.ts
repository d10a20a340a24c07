import { useDebouncedCallback } from '@mantine/hooks';
import { useEffect, useRef, useState } from 'react';

interface Typed {
  text: string;
  type: (text: string) => void;
  /** Says at once what has been typed. */
  flush: () => void;
}

/**
 * A text that is typed here and kept elsewhere, as in the address: said, without spaces around it, when typing pauses. It comes
 * back later, when more may have been typed: what was said here replaces nothing then, only what somebody else has set does.
 */
export function useTyped(value: string, say: (text: string) => void, pauseMs = 250): Typed {
  const [text, setText] = useState(value);
  const underWay = useRef<string[]>([]);
  const tell = useDebouncedCallback((typed: string) => {
    const next = typed.trim();
    if (next === (underWay.current.at(-1) ?? value)) return;
    underWay.current.push(next);
    say(next);
  }, pauseMs);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each value that comes
  useEffect(() => {
    const own = underWay.current.indexOf(value);
    if (own >= 0) {
      underWay.current.splice(0, own + 1);
      return;
    }
    underWay.current = [];
    tell.cancel();
    setText(value);
  }, [value]);
  return {
    text,
    type: (next) => {
      setText(next);
      tell(next);
    },
    flush: () => tell.flush(),
  };
}
