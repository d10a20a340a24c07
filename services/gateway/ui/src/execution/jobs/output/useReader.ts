import { useEffect, useMemo, useSyncExternalStore } from 'react';
import { useExecution, useOutputPieces, useStreamState } from '../../store';
import { OutputReader, partsOf, type Reading } from './reader';

/** Reads these outputs of a job for as long as the component is shown, live while it runs. */
export function useReaders(
  jobId: string,
  ended: boolean,
  streams: readonly string[],
): ReadonlyMap<string, OutputReader> {
  const { executionId } = useExecution();
  const live = useStreamState() === 'live';
  const names = streams.join(' ');
  const readers = useMemo(
    () => new Map(names.split(' ').map((stream) => [stream, new OutputReader(partsOf(executionId, jobId, stream))])),
    [executionId, jobId, names],
  );
  useEffect(() => {
    const stops = [...readers.values()].map((reader) => reader.start());
    return () => {
      for (const stop of stops) stop();
    };
  }, [readers]);
  useEffect(() => {
    for (const reader of readers.values()) reader.follow(ended, live);
  }, [readers, ended, live]);
  useOutputPieces(ended ? null : jobId, ({ stream, offset, text }) => readers.get(stream)?.hear(offset, text));
  return readers;
}

export function useReading(reader: OutputReader): Reading {
  return useSyncExternalStore(reader.subscribe, reader.current);
}
