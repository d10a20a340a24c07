import { useEffect, useRef, useState } from 'react';
import { openStream, type StreamOptions, type StreamState } from './stream';

/** A stream for as long as the component is shown; `url` null for none. Handlers may change without a new connection. */
export function useStream(
  url: string | null,
  topics: readonly string[],
  onEvent: StreamOptions['onEvent'],
  resumeFrom?: () => number | null,
): StreamState {
  const [state, setState] = useState<StreamState>('connecting');
  const handler = useRef(onEvent);
  const from = useRef(resumeFrom);
  handler.current = onEvent;
  from.current = resumeFrom;
  const names = topics.join(' ');
  const resumes = resumeFrom !== undefined;
  useEffect(() => {
    if (url === null) return;
    return openStream({
      url,
      topics: names.split(' '),
      onEvent: (topic, data, position) => handler.current(topic, data, position),
      onState: setState,
      ...(resumes ? { resumeFrom: () => from.current?.() ?? null } : {}),
    });
  }, [url, names, resumes]);
  return state;
}
