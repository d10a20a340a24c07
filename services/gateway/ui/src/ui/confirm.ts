/** Asks before something that cannot be taken back: `if (await confirm({...})) …`. */
import { type ReactNode, useSyncExternalStore } from 'react';

interface Question {
  title: string;
  body: ReactNode;
  /** The verb on the button: what will be done. */
  action: string;
  dangerous?: boolean;
}

let asked: (Question & { answer: (yes: boolean) => void }) | null = null;
const listeners = new Set<() => void>();

function show(next: typeof asked) {
  asked = next;
  for (const each of listeners) each();
}

export function confirm(question: Question): Promise<boolean> {
  asked?.answer(false);
  return new Promise((resolve) =>
    show({
      ...question,
      answer: (yes) => {
        show(null);
        resolve(yes);
      },
    }),
  );
}

/** What is asked now, and how to answer. */
export function useQuestion() {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => asked,
  );
}
