/**
 * Server-Sent Events that come back by themselves: after a lost connection from the last event on, with nothing missed and
 * nothing twice. Closed while the tab is hidden: browsers allow six connections to one address, for all tabs together.
 */
export type StreamState = 'connecting' | 'live' | 'reconnecting' | 'ended';

export interface StreamOptions {
  /** Path and query, without lastEventId. */
  url: string;
  /** The event names to hear; others are not delivered. */
  topics: readonly string[];
  onEvent: (topic: string, data: unknown, position: number | null) => void;
  onState: (state: StreamState) => void;
  /** Asked before each connection: from where to go on; null for a snapshot. Default: after the last event. */
  resumeFrom?: () => number | null;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const HIDDEN_MS = 20_000;

/** Opens the stream; the answer closes it for good. */
export function openStream({ url, topics, onEvent, onState, resumeFrom }: StreamOptions): () => void {
  let source: EventSource | null = null;
  let last: number | null = null;
  let pause = FIRST_PAUSE_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hiding: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  const disconnect = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };

  const connect = () => {
    disconnect();
    const from = resumeFrom ? resumeFrom() : last;
    const address = from === null ? url : `${url}${url.includes('?') ? '&' : '?'}lastEventId=${from}`;
    const opened = new EventSource(address, { withCredentials: true });
    source = opened;
    opened.onopen = () => {
      pause = FIRST_PAUSE_MS;
      onState('live');
    };
    // The browser's own retry would not come back after an answer other than 200, so all retries are made here.
    opened.onerror = () => {
      if (closed || source !== opened) return;
      disconnect();
      onState('reconnecting');
      timer = setTimeout(connect, pause * (0.75 + Math.random() / 2));
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    };
    for (const topic of topics) {
      opened.addEventListener(topic, (event: MessageEvent<string>) => {
        if (source !== opened) return;
        const position = event.lastEventId === '' ? null : Number(event.lastEventId);
        if (position !== null) last = position;
        onEvent(topic, JSON.parse(event.data), position);
      });
    }
    opened.addEventListener('end', () => {
      if (source !== opened) return;
      close();
      onState('ended');
    });
  };

  const onVisibility = () => {
    clearTimeout(hiding);
    if (document.visibilityState === 'hidden') {
      hiding = setTimeout(() => {
        disconnect();
        onState('reconnecting');
      }, HIDDEN_MS);
    } else if (source === null) {
      pause = FIRST_PAUSE_MS;
      connect();
    }
  };

  const onOnline = () => {
    pause = FIRST_PAUSE_MS;
    if (source === null && document.visibilityState !== 'hidden') connect();
  };

  const close = () => {
    closed = true;
    clearTimeout(hiding);
    disconnect();
    document.removeEventListener('visibilitychange', onVisibility);
    window.removeEventListener('online', onOnline);
  };

  document.addEventListener('visibilitychange', onVisibility);
  window.addEventListener('online', onOnline);
  onState('connecting');
  connect();
  return close;
}
