/** One output of a job: its text, live; to be searched, wrapped, followed and downloaded; and whether it is whole (R15). */
import { ActionIcon, Button, CopyButton as Copier, TextInput, Tooltip } from '@mantine/core';
import {
  IconArrowBarToDown,
  IconChevronDown,
  IconChevronUp,
  IconCircleCheck,
  IconDownload,
  IconLoader2,
  IconSearch,
  IconTextWrap,
} from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useExecution } from '../../store';
import classes from './OutputPane.module.css';
import { OutputText } from './OutputText';
import type { OutputReader, Reading } from './reader';
import { type Match, useSearch } from './search';
import { bytesText } from './size';
import { useReading } from './useReader';

export function OutputPane({
  reader,
  jobId,
  stream,
  ended,
  failed,
}: {
  reader: OutputReader;
  jobId: string;
  stream: string;
  ended: boolean;
  failed: boolean;
}) {
  const { executionId } = useExecution();
  const reading = useReading(reader);
  const { output, version } = reading;
  const [wrap, setWrap] = useState(true);
  // of a failure the end says most
  const [follow, setFollow] = useState(!ended || failed);
  const [wanted, setWanted] = useState('');
  const search = useSearch(output, version, wanted);
  // what is searched is read whole
  const searches = wanted !== '';
  useEffect(() => {
    if (searches) reader.everything();
  }, [reader, searches]);
  const [nth, setNth] = useState<number | null>(null);
  const match: Match | null = nth === null ? null : (search.matches[Math.min(nth, search.matches.length - 1)] ?? null);

  const step = (by: 1 | -1) => {
    const count = search.matches.length;
    if (count === 0) return;
    setFollow(false);
    setNth(nth === null ? (by === 1 ? 0 : count - 1) : (nth + by + count) % count);
  };

  if (reading.expired)
    return (
      <p className={classes.nothing}>The output was deleted: it is kept for a number of days, and they are over.</p>
    );
  if (!reading.known)
    return reading.problem ? (
      <ProblemAlert title="The output cannot be read yet: it is tried again" error={reading.problem} />
    ) : (
      <p className={classes.nothing}>Reading …</p>
    );
  return (
    <div className={classes.pane}>
      <div className={classes.bar}>
        <TextInput
          size="xs"
          className={classes.search}
          value={wanted}
          onChange={(event) => {
            setWanted(event.currentTarget.value);
            setNth(null);
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter') step(event.shiftKey ? -1 : 1);
            if (event.key === 'Escape' && wanted !== '') {
              event.stopPropagation();
              setWanted('');
            }
          }}
          placeholder="Search"
          aria-label={`Search in ${stream}`}
          leftSection={<IconSearch size={14} aria-hidden />}
        />
        <span className={classes.found} role="status">
          {wanted !== '' &&
            !search.searching &&
            foundText(search.matches.length, search.more, nth, output.gaps().length > 0)}
        </span>
        <ActionIcon
          variant="subtle"
          color="gray"
          disabled={search.matches.length === 0}
          onClick={() => step(-1)}
          aria-label="Match before"
        >
          <IconChevronUp size={16} aria-hidden />
        </ActionIcon>
        <ActionIcon
          variant="subtle"
          color="gray"
          disabled={search.matches.length === 0}
          onClick={() => step(1)}
          aria-label="Next match"
        >
          <IconChevronDown size={16} aria-hidden />
        </ActionIcon>
        <span className={classes.tools}>
          {!ended && (
            <Toggle
              label="Follow the end"
              icon={IconArrowBarToDown}
              pressed={follow}
              onClick={() => setFollow(!follow)}
            />
          )}
          <Toggle label="Wrap long lines" icon={IconTextWrap} pressed={wrap} onClick={() => setWrap(!wrap)} />
          <Tooltip label="Download">
            <ActionIcon
              component="a"
              variant="default"
              href={`/api/v1/executions/${executionId}/jobs/${jobId}/output?stream=${stream}&download=true`}
              download
              aria-label={`Download ${stream}`}
            >
              <IconDownload size={16} aria-hidden />
            </ActionIcon>
          </Tooltip>
        </span>
      </div>
      {output.size === 0 ? (
        <p className={classes.nothing}>
          {ended
            ? `Nothing was written to ${stream}.`
            : `Nothing has been written to ${stream} yet: it appears here as it comes.`}
        </p>
      ) : (
        <OutputText
          // another wrapping, another height of every row
          key={String(wrap)}
          output={output}
          version={version}
          label={`${stream}, the text`}
          wrap={wrap}
          follow={follow}
          onFollow={setFollow}
          wanted={wanted}
          match={match}
          onMore={(range) => reader.more(range)}
          onAll={() => reader.everything()}
          onAgain={() => reader.again()}
        />
      )}
      <Whole
        reading={reading}
        ended={ended}
        onAgain={() => reader.again()}
        onAll={() => {
          setFollow(false);
          reader.everything();
        }}
      />
    </div>
  );
}

/** `inPart`: the rest is being read. */
function foundText(count: number, more: boolean, nth: number | null, inPart: boolean): string {
  if (count === 0) return inPart ? 'reading on …' : 'not found';
  const of = `${count}${more || inPart ? '+' : ''}`;
  return nth === null ? `${of} found` : `${Math.min(nth, count - 1) + 1} of ${of}`;
}

/** Whether this is all of it: said in any case, never left to be guessed. */
function Whole({
  reading: { output, version, problem },
  ended,
  onAgain,
  onAll,
}: {
  reading: Reading;
  ended: boolean;
  onAgain: () => void;
  onAll: () => void;
}) {
  const checked = useDigest(output, version);
  const unread = output.gaps().reduce((sum, { start, end }) => sum + end - start, 0);
  const missing = output.missing().reduce((sum, { start, end }) => sum + end - start, 0);
  if (problem !== null)
    return <p className={classes.whole}>No more of the output can be read now. {problem.detail} It is tried again.</p>;
  if (missing > 0 && output.sealed)
    return (
      <p className={classes.whole} data-missing>
        {bytesText(missing)} of {bytesText(output.size)} are missing.
        <Button size="compact-xs" variant="subtle" onClick={onAgain}>
          Ask again
        </Button>
      </p>
    );
  if (output.sealed)
    return (
      <p className={classes.whole}>
        <IconCircleCheck size={14} color="var(--ry-green)" aria-hidden />
        Complete, <span className="numbers">{output.size.toLocaleString()} bytes</span>
        {output.sha256 !== null && (
          <Copier value={output.sha256}>
            {({ copied, copy }) => (
              <Tooltip
                label={`SHA-256 ${output.sha256}${checked === true ? ', computed here too' : ''}`}
                multiline
                maw={340}
              >
                <button type="button" className={classes.digest} onClick={copy}>
                  {copied ? 'copied' : `SHA-256 ${output.sha256?.slice(0, 12)}…`}
                  {checked === true && ' ✓'}
                </button>
              </Tooltip>
            )}
          </Copier>
        )}
        {unread > 0 && (
          <span className={classes.unread}>
            {bytesText(unread)} of it are not shown
            <Button size="compact-xs" variant="default" onClick={onAll}>
              Show all
            </Button>
          </span>
        )}
        {checked === false && (
          <strong className={classes.wrong}>What is shown is not what was sealed: download it.</strong>
        )}
      </p>
    );
  return (
    <p className={classes.whole}>
      <IconLoader2 size={14} className={classes.turning} aria-hidden />
      <span className="numbers">{bytesText(output.size)}</span>
      {ended ? ' so far; the agent has not said that this is all' : ' so far'}
      {missing > 0 && `, of which ${bytesText(missing)} have not come`}
    </p>
  );
}

/** Whether all bytes that are here have the digest they were sealed with; null: not all are here, or it cannot be computed. */
function useDigest(output: Reading['output'], version: number): boolean | null {
  const [same, setSame] = useState<boolean | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` stands for what is in it
  useEffect(() => {
    setSame(null);
    // browsers compute digests for pages that came by HTTPS or from this machine
    if (!output.isComplete || output.sha256 === null || !globalThis.crypto?.subtle) return;
    let given = true;
    void crypto.subtle.digest('SHA-256', output.all() as Uint8Array<ArrayBuffer>).then((digest) => {
      const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
      if (given) setSame(hex === output.sha256);
    });
    return () => {
      given = false;
    };
  }, [output, version]);
  return same;
}

function Toggle({
  label,
  icon: Icon,
  pressed,
  onClick,
}: {
  label: string;
  icon: typeof IconTextWrap;
  pressed: boolean;
  onClick: () => void;
}) {
  return (
    <Tooltip label={label}>
      <ActionIcon variant={pressed ? 'filled' : 'default'} aria-pressed={pressed} aria-label={label} onClick={onClick}>
        <Icon size={16} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}
