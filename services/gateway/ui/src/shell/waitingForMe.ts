import { useState } from 'react';
import { useStream } from '@/api/streamHook';

interface Count {
  waiting: number;
  more: boolean;
}

/** How many approvals wait for whoever is signed in, live (R30); null until it is known. */
export function useWaitingForMe(): Count | null {
  const [count, setCount] = useState<Count | null>(null);
  useStream('/api/v1/approvals/stream?mine=true&limit=1', ['count'], (_topic, data) => setCount(data as Count));
  return count;
}
