/** Asks before something that cannot be taken back: `if (await confirm({...})) …`. */
import { type ReactNode, useSyncExternalStore } from 'react';

interface Question {
  title: string;
  body: ReactNode;
  /** The verb on the button: what will be done. */
  action: string;
  dangerous?: boolean;
}

export type Asked = Question & { answer: (yes: boolean) => void };

let asked: Asked | null = null;
const listeners = new Set<() => void>();

function show(next: Asked | null) {
  asked = next;
  for (const each of listeners) each();
}

export function confirm(question: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const next = {
      ...question,
      answer: (yes: boolean) => {
        show(null);
        resolve(yes);
      },
    };
    // not within the event that led here: the Escape that would close a drawer would answer the question, too
    setTimeout(() => {
      asked?.answer(false);
      show(next);
    });
  });
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
