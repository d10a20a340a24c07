/** Every decision of the engine, in order (R17): filtered, followed while it grows, and with the first error one key away. */
import { Button, CloseButton, SegmentedControl, Select, Text, TextInput } from '@mantine/core';
import { IconAlertTriangle, IconArrowDown, IconCircleX, IconSearch } from '@tabler/icons-react';
import { useVirtualizer, type Virtualizer } from '@tanstack/react-virtual';
import {
  type KeyboardEvent,
  memo,
  useCallback,
  useDeferredValue,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import type { LogEntry } from '@/api/types';
import { Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useParam, useSetParams } from '@/ui/params';
import { useShortcuts } from '@/ui/shortcuts';
import { fullInstantText } from '@/ui/time';
import { WithInstants } from '@/ui/WithInstants';
import { type JobLine, useActive, useExecution, useExecutionStore } from '../store';
import classes from './LogPanel.module.css';
import { countOf, type Gap, gapsOf, isGap, type LevelFilter, type Log, type Row, rowsOf } from './log';
import type { Wants } from './reader';
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
  const set = useSetParams();
  const level = (useParam('level') ?? 'all') as LevelFilter;
  const nodeId = useParam('node');
  const at = useParam('at');
  const asked = useParam('find') ?? '';
  const [typed, setTyped] = useState(asked);
  const text = useDeferredValue(typed);
  const filtered = text !== '' || level !== 'all' || nodeId !== null;
  const [following, setFollowing] = useState(active && at === null);
  const [gap, setGap] = useState<Wants['gap']>(null);
  const [place, setPlace] = useState<number | null>(null);
  const { log, problem, reading } = useLog({ end: following, all: filtered, at: place, gap });
  const position = at === null ? null : at === 'error' ? (log.firstError?.position ?? null) : Number(at);
  useEffect(() => setPlace(position), [position]);
  const rows = useMemo(() => rowsOf(log, { text, level, nodeId }), [log, text, level, nodeId]);
  const keys = useMemo(() => keysOf(rows), [rows]);
  const store = useExecutionStore();
  const nodes = useMemo(
    () => nodesOf(log, detail.nodes, nodeId, store.current()?.jobs.byId),
    [log, detail.nodes, nodeId, store],
  );
  const search = useRef<HTMLInputElement>(null);

  const region = useRef<HTMLDivElement>(null);
  const lines = useVirtualizer({
    count: rows.length,
    getScrollElement: () => region.current,
    estimateSize: () => 26,
    overscan: 20,
    getItemKey: useCallback((index: number) => keys[index] ?? index, [keys]),
  });

  const found = useMemo(() => {
    if (position === null) return -1;
    return rows.findIndex(
      (row) => !isGap(row) && row.position === position && (at !== 'error' || row.level === log.firstError?.level),
    );
  }, [at, position, rows, log.firstError]);
  const foundIn = found < 0 ? null : `${at} ${text} ${level} ${nodeId}`;
  // once for each line that is asked for, and not again as the log grows
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    if (found >= 0) lines.scrollToIndex(found, { align: 'center' });
  }, [foundIn]);

  useGapInSight(lines, rows, setGap);
  const remember = useKeptPlace(region, lines, rows, following);
  const last = rows.length - 1;
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

  const read = useMemo(() => countOf(log), [log]);
  const whole = gapsOf(log).length === 0 && log.pieces.length > 0;
  const shown = whole ? rows.length : rows.filter((row) => !isGap(row)).length;
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
          {filtered ? `${NUMBER.format(shown)} of ${NUMBER.format(read)} lines` : `${NUMBER.format(read)} lines`}
          {whole
            ? reading && read === 0
              ? ', reading …'
              : ''
            : filtered
              ? ', reading on …'
              : ' so far, others as you scroll'}
          {at === 'error' && read > 0 && log.firstError === null && ', no error'}
        </span>
      </div>
      {problem !== null && read === 0 && <ProblemAlert error={problem} />}
      {shown === 0 && whole && filtered && (
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
        onScroll={remember}
        onTouchMove={() => setFollowing(false)}
        onWheel={(event) => event.deltaY < 0 && setFollowing(false)}
      >
        <div className={classes.canvas} style={{ height: lines.getTotalSize() }}>
          {lines.getVirtualItems().map((row) => {
            const entry = rows[row.index];
            if (entry === undefined) return null;
            if (isGap(entry))
              return (
                <div
                  key={row.key}
                  ref={lines.measureElement}
                  data-index={row.index}
                  className={classes.gap}
                  style={{ transform: `translateY(${row.start}px)` }}
                >
                  Reading what lies between …
                </div>
              );
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

const Line = memo(function Line({ entry, title }: { entry: LogEntry; title: string | undefined }) {
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
        <WithInstants text={entry.message} />
        {jobId != null && (
          <button type="button" className={`${classes.link} ${classes.job}`} onClick={() => set({ job: jobId })}>
            Job
          </button>
        )}
      </span>
    </>
  );
});

/** What lies in sight is read, from the end that is nearer to the middle of what is shown. */
function useGapInSight(
  lines: Virtualizer<HTMLDivElement, Element>,
  rows: readonly Row[],
  onGap: (gap: Wants['gap']) => void,
): void {
  const items = lines.getVirtualItems();
  const at = items.findIndex((item) => isGap(rows[item.index] as Row));
  const gap = at < 0 ? null : (rows[items[at]?.index ?? 0] as Gap);
  const from = at < items.length / 2 ? 'below' : 'above';
  const { after, before } = gap ?? {};
  useEffect(() => {
    onGap(after === undefined || before === undefined ? null : { after, before, from });
  }, [onGap, after, before, from]);
}

/** Lines that are put in above must not push away what is being read. */
function useKeptPlace(
  region: React.RefObject<HTMLDivElement | null>,
  lines: Virtualizer<HTMLDivElement, Element>,
  rows: readonly Row[],
  following: boolean,
): () => void {
  const reading = useRef<{ position: number; within: number } | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: after each change of the rows
  useLayoutEffect(() => {
    const element = region.current;
    if (following || element === null || reading.current === null || element.scrollTop === 0) return;
    const { position, within } = reading.current;
    const index = rows.findIndex((row) => !isGap(row) && row.position >= position);
    const start = index < 0 ? undefined : lines.getOffsetForIndex(index, 'start')?.[0];
    if (start !== undefined && Math.abs(start + within - element.scrollTop) > 1) element.scrollTop = start + within;
  }, [rows]);
  return () => {
    const element = region.current;
    if (element === null) return;
    const item = lines
      .getVirtualItems()
      .find((each) => each.end > element.scrollTop && !isGap(rows[each.index] as Row));
    const row = item && rows[item.index];
    if (item && row && !isGap(row)) {
      // of several lines of one event the first is what it is kept by
      let first = item.index;
      for (let before = rows[first - 1]; before && !isGap(before) && before.position === row.position; ) {
        first -= 1;
        before = rows[first - 1];
      }
      const start = lines.getOffsetForIndex(first, 'start')?.[0] ?? item.start;
      reading.current = { position: row.position, within: element.scrollTop - start };
    }
  };
}

const nodesIn = new WeakMap<readonly LogEntry[], ReadonlyMap<string, string | null>>();

/** Of a page: its nodes, each with one of its jobs. */
function nodesOfPage(page: readonly LogEntry[]): ReadonlyMap<string, string | null> {
  let known = nodesIn.get(page);
  if (known === undefined) {
    const seen = new Map<string, string | null>();
    for (const { nodeId, jobId } of page) if (nodeId && !seen.get(nodeId)) seen.set(nodeId, jobId ?? null);
    known = seen;
    nodesIn.set(page, known);
  }
  return known;
}

function nodesOf(
  log: Log,
  known: readonly { nodeId: string; name: string }[],
  chosen: string | null,
  jobs: ReadonlyMap<string, JobLine> | undefined,
): { value: string; label: string }[] {
  const names = new Map(known.map((node) => [node.nodeId, node.name]));
  const seen = new Set<string>();
  if (chosen !== null) seen.add(chosen);
  for (const page of log.pieces.flatMap((piece) => piece.pages)) {
    for (const [nodeId, jobId] of nodesOfPage(page)) {
      seen.add(nodeId);
      // what the nodes of a forEach are called is known from their jobs
      const name = jobId === null || names.has(nodeId) ? undefined : jobs?.get(jobId)?.nodeName;
      if (name !== undefined) names.set(nodeId, name);
    }
  }
  return [...seen].map((nodeId) => ({ value: nodeId, label: names.get(nodeId) ?? nodeId }));
}

/** An event may make several lines, which have its position. Numbers: they are looked at for every row, whenever one is measured. */
function keysOf(rows: readonly Row[]): Float64Array {
  const keys = new Float64Array(rows.length);
  let last = -1;
  let nth = 0;
  for (const [index, row] of rows.entries()) {
    if (isGap(row)) keys[index] = -row.before;
    else {
      nth = row.position === last ? nth + 1 : 0;
      last = row.position;
      keys[index] = row.position * 4096 + nth;
    }
  }
  return keys;
}

const NUMBER = new Intl.NumberFormat();
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
