/** Every decision of the engine, in order (R17): filtered, followed while it grows, and with the first error one key away. */
import { Button, CloseButton, SegmentedControl, Select, Text, TextInput } from '@mantine/core';
import { IconAlertTriangle, IconArrowDown, IconCircleX, IconSearch } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import type { LogEntry } from '@/api/types';
import { Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useShortcuts } from '@/ui/shortcuts';
import { fullInstantText } from '@/ui/time';
import { useParam, useSetParams } from '../params';
import { type JobLine, useActive, useExecution, useExecutionStore } from '../store';
import classes from './LogPanel.module.css';
import { type LevelFilter, matching } from './log';
import { useLog } from './useLog';

const LEVELS = [
  { value: 'all', label: 'All' },
  { value: 'warning', label: 'Warnings' },
  { value: 'error', label: 'Errors' },
] as const;

/** `at` in the address: the position of the line to be shown, or `error` for the first error. */
export function LogPanel() {
  const detail = useExecution();
  const active = useActive();
  const { log, problem } = useLog();
  const set = useSetParams();
  const level = (useParam('level') ?? 'all') as LevelFilter;
  const nodeId = useParam('node');
  const at = useParam('at');
  const asked = useParam('find') ?? '';
  const [typed, setTyped] = useState(asked);
  const text = useDeferredValue(typed);
  const entries = useMemo(() => matching(log, { text, level, nodeId }), [log, text, level, nodeId]);
  const store = useExecutionStore();
  const nodes = useMemo(
    () => nodesOf(log.pages, detail.nodes, nodeId, store.current()?.jobs.byId),
    [log, detail.nodes, nodeId, store],
  );
  const [following, setFollowing] = useState(active && at === null);
  const search = useRef<HTMLInputElement>(null);

  const region = useRef<HTMLDivElement>(null);
  const lines = useVirtualizer({
    count: entries.length,
    getScrollElement: () => region.current,
    estimateSize: () => 26,
    overscan: 20,
    getItemKey: (index) => keyOf(entries, index),
  });

  const found = useMemo(() => {
    if (at === null) return -1;
    const position = at === 'error' ? log.firstError?.position : Number(at);
    return entries.findIndex(
      (entry) => entry.position === position && (at !== 'error' || entry.level === log.firstError?.level),
    );
  }, [at, entries, log.firstError]);
  const foundIn = found < 0 ? null : `${at} ${text} ${level} ${nodeId}`;
  // once for each line that is asked for, and not again as the log grows
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    if (found >= 0) lines.scrollToIndex(found, { align: 'center' });
  }, [foundIn]);

  const last = entries.length - 1;
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever there are more lines
  useEffect(() => {
    if (following && last >= 0) lines.scrollToIndex(last, { align: 'end' });
  }, [following, last]);

  // whoever goes up wants to read; the end is followed again when that is asked for
  const onKeyDown = (event: KeyboardEvent) => {
    if (['ArrowUp', 'PageUp', 'Home'].includes(event.key)) setFollowing(false);
  };

  const clear = () => {
    setTyped('');
    set({ find: null, level: null, node: null, at: null }, { replace: true });
  };
  useShortcuts([{ key: '/', does: 'Search the log', run: () => search.current?.focus() }]);

  const filtered = text !== '' || level !== 'all' || nodeId !== null;
  const read = log.pages.reduce((sum, page) => sum + page.items.length, 0);
  return (
    <Panel>
      <div className={classes.tools}>
        <TextInput
          ref={search}
          className={classes.search}
          size="xs"
          aria-label="Search the log"
          placeholder="Search the log  ( / )"
          leftSection={<IconSearch size={14} aria-hidden />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          onBlur={() => set({ find: typed }, { replace: true })}
          onKeyDown={(event) => {
            if (event.key === 'Enter') set({ find: typed }, { replace: true });
          }}
          rightSection={
            typed !== '' && (
              <CloseButton
                size="xs"
                aria-label="Clear the search"
                onClick={() => {
                  setTyped('');
                  set({ find: null }, { replace: true });
                }}
              />
            )
          }
        />
        <SegmentedControl
          size="xs"
          aria-label="Level"
          data={[...LEVELS]}
          value={level}
          onChange={(value) => set({ level: value === 'all' ? null : value }, { replace: true })}
        />
        <Select
          size="xs"
          w={180}
          aria-label="Node"
          placeholder="All nodes"
          data={nodes}
          value={nodeId}
          onChange={(value) => set({ node: value }, { replace: true })}
          clearable
          searchable={nodes.length > 12}
          clearButtonProps={{ 'aria-label': 'All nodes' }}
        />
        <Button
          size="xs"
          variant="default"
          leftSection={<IconCircleX size={14} aria-hidden />}
          disabled={log.firstError === null}
          onClick={() => {
            setTyped('');
            setFollowing(false);
            set({ at: 'error', find: null, level: null, node: null }, { replace: true });
          }}
        >
          First error
        </Button>
        {active && (
          <Button
            size="xs"
            variant={following ? 'filled' : 'default'}
            aria-pressed={following}
            leftSection={<IconArrowDown size={14} aria-hidden />}
            onClick={() => setFollowing(!following)}
          >
            Follow
          </Button>
        )}
        <span className={`${classes.count} numbers`} role="status">
          {filtered ? `${entries.length} of ${read} lines` : `${read} lines`}
          {!log.complete && ', reading on …'}
          {at === 'error' && log.complete && log.firstError === null && ', no error'}
        </span>
      </div>
      {problem !== null && read === 0 && <ProblemAlert error={problem} />}
      {entries.length === 0 && log.complete && filtered && (
        <Text p="md" size="sm" c="dimmed">
          No line of the log is like that.{' '}
          <button type="button" className={classes.link} onClick={clear}>
            Show all of it
          </button>
        </Text>
      )}
      <div
        ref={region}
        className={classes.lines}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
        tabIndex={0}
        role="log"
        aria-label="Execution log"
        aria-live="off"
        onKeyDown={onKeyDown}
        onTouchMove={() => setFollowing(false)}
        onWheel={(event) => event.deltaY < 0 && setFollowing(false)}
      >
        <div className={classes.canvas} style={{ height: lines.getTotalSize() }}>
          {lines.getVirtualItems().map((row) => {
            const entry = entries[row.index];
            if (entry === undefined) return null;
            return (
              <div
                key={row.key}
                ref={lines.measureElement}
                data-index={row.index}
                data-level={entry.level}
                data-found={row.index === found}
                className={classes.line}
                style={{ transform: `translateY(${row.start}px)` }}
              >
                <Line entry={entry} title={nodes.find((node) => node.value === entry.nodeId)?.label} />
              </div>
            );
          })}
        </div>
      </div>
    </Panel>
  );
}

function Line({ entry, title }: { entry: LogEntry; title: string | undefined }) {
  const set = useSetParams();
  const { nodeId, jobId } = entry;
  return (
    <>
      <time className={`${classes.at} numbers`} dateTime={entry.at} title={fullInstantText(entry.at)}>
        {clock(entry.at)}
      </time>
      <span className={classes.icon}>
        {entry.level === 'error' && <IconCircleX size={15} role="img" aria-label="Error" />}
        {entry.level === 'warning' && <IconAlertTriangle size={15} role="img" aria-label="Warning" />}
      </span>
      <span className={classes.node}>
        {nodeId != null && (
          <button
            type="button"
            className={classes.link}
            title="Only the lines of this node"
            onClick={() => set({ node: nodeId, at: String(entry.position) })}
          >
            {title ?? nodeId}
          </button>
        )}
      </span>
      <span className={classes.message}>
        {entry.message}
        {jobId != null && (
          <button type="button" className={`${classes.link} ${classes.job}`} onClick={() => set({ job: jobId })}>
            Job
          </button>
        )}
      </span>
    </>
  );
}

function nodesOf(
  pages: readonly { items: readonly LogEntry[] }[],
  known: readonly { nodeId: string; name: string }[],
  chosen: string | null,
  jobs: ReadonlyMap<string, JobLine> | undefined,
): { value: string; label: string }[] {
  const names = new Map(known.map((node) => [node.nodeId, node.name]));
  const seen = new Set<string>();
  if (chosen !== null) seen.add(chosen);
  for (const page of pages) {
    for (const { nodeId, jobId } of page.items) {
      if (!nodeId) continue;
      seen.add(nodeId);
      // what the nodes of a forEach are called is known from their jobs
      if (jobId && !names.has(nodeId)) {
        const name = jobs?.get(jobId)?.nodeName;
        if (name !== undefined) names.set(nodeId, name);
      }
    }
  }
  return [...seen].map((nodeId) => ({ value: nodeId, label: names.get(nodeId) ?? nodeId }));
}

/** An event may make several lines, which have its position. */
function keyOf(entries: readonly LogEntry[], index: number): string {
  const position = entries[index]?.position ?? 0;
  let nth = 0;
  while (entries[index - nth - 1]?.position === position) nth += 1;
  return `${position} ${nth}`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
});

function clock(at: string): string {
  return CLOCK.format(new Date(at));
}
