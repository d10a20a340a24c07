/** How many approvals wait for whoever is signed in, live (R30): one stream for the navigation and the tabs. */
import { createContext, type ReactNode, useContext, useState } from 'react';
import { useStream } from '@/api/streamHook';

export interface Waiting {
  waiting: number;
  /** At least so many. */
  more: boolean;
}

const WaitingForMe = createContext<Waiting | null>(null);

export function WaitingForMeProvider({ children }: { children: ReactNode }) {
  const [count, setCount] = useState<Waiting | null>(null);
  useStream('/api/v1/approvals/stream?mine=true&limit=1', ['page', 'count'], (topic, data) =>
    setCount(topic === 'page' ? (data as { count: Waiting }).count : (data as Waiting)),
  );
  return <WaitingForMe value={count}>{children}</WaitingForMe>;
}

/** null until it is known. */
export function useWaitingForMe(): Waiting | null {
  return useContext(WaitingForMe);
}
