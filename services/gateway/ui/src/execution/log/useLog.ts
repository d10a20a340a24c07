import { useEffect, useState, useSyncExternalStore } from 'react';
import { api, take } from '@/api/client';
import { useExecutionStore, usePosition } from '../store';
import { LogReader, type Reading, type Wants } from './reader';

/** The log, as much of it as is wanted, and what is added to it; read as long as the component is shown. */
export function useLog({ end, all, at, gap }: Wants): Reading {
  const { executionId } = useExecutionStore();
  const position = usePosition();
  const [reader] = useState(
    () =>
      new LogReader(({ before, ...query }, signal) =>
        take(
          api.GET('/api/v1/executions/{executionId}/log', {
            params: { path: { executionId }, query: { ...query, ...(before === null ? {} : { before }) } },
            signal,
          }),
        ),
      ),
  );
  // wants come first: they say at which end the reading begins
  useEffect(() => reader.want({ end, all, at, gap }), [reader, end, all, at, gap]);
  useEffect(() => reader.start(), [reader]);
  useEffect(() => reader.heard(position), [reader, position]);
  return useSyncExternalStore(reader.subscribe, reader.current);
}
