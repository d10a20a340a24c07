import { useEffect, useRef, useState } from 'react';
import { api, take } from '@/api/client';
import { type Problem, problemOf } from '@/api/problem';
import { useExecutionStore, usePosition } from '../store';
import { type Log, NOTHING_READ, withPage } from './log';

const PAGE = 200;
const READ_AGAIN_MS = 700;
const AFTER_PROBLEM_MS = 3000;

/** All of the log, and what is added to it; read as long as the component is shown. */
export function useLog(): { log: Log; problem: Problem | null } {
  const { executionId } = useExecutionStore();
  const position = usePosition();
  const [log, setLog] = useState(NOTHING_READ);
  const [problem, setProblem] = useState<Problem | null>(null);
  /** How far the log that is shown goes at least. */
  const readTo = useRef(-1);
  const [turn, setTurn] = useState(0);
  const upToDate = log.complete && readTo.current >= position;

  // biome-ignore lint/correctness/useExhaustiveDependencies: after a problem the same is tried again, in another turn
  useEffect(() => {
    if (upToDate) return;
    const stop = new AbortController();
    const read = async () => {
      try {
        const answer = await take(
          api.GET('/api/v1/executions/{executionId}/log', {
            params: {
              path: { executionId },
              query: { limit: PAGE, minPosition: position, ...(log.next === null ? {} : { cursor: log.next }) },
            },
            signal: stop.signal,
          }),
        );
        if (answer.nextCursor === null) readTo.current = position;
        setProblem(null);
        setLog((before) => withPage(before, log.next, answer));
        setTurn((before) => before + 1);
      } catch (error) {
        if (stop.signal.aborted) return;
        setProblem(problemOf(error));
        timer = setTimeout(() => setTurn((before) => before + 1), AFTER_PROBLEM_MS);
      }
    };
    let timer = setTimeout(read, log.complete ? READ_AGAIN_MS : 0);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [executionId, log, upToDate, turn]);
  return { log, problem };
}
