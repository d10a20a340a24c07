/** The rows of an output, as many as can be seen; stays at its end while it grows, if it is to. */
import { Button } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useLayoutEffect, useRef } from 'react';
import { cutAt, findAll, type Piece, piecesOf } from './ansi';
import type { OutputBytes, Range } from './bytes';
import classes from './OutputText.module.css';
import type { Match } from './search';
import { bytesText } from './size';

const ROW = 18;
/** So near to the end counts as at the end. */
const NEAR = 24;
/** So long after a wheel or a key the text still scrolls because of it. */
const HAND_MS = 1000;

export interface OutputTextProps {
  output: OutputBytes;
  version: number;
  label: string;
  wrap: boolean;
  follow: boolean;
  onFollow: (follow: boolean) => void;
  wanted: string;
  match: Match | null;
  onMore: (range: Range) => void;
  onAll: () => void;
  onAgain: () => void;
}

export function OutputText(props: OutputTextProps) {
  const { output, version, label, wrap, follow, onFollow, wanted, match } = props;
  const room = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: output.rowCount,
    getScrollElement: () => room.current,
    estimateSize: () => ROW,
    overscan: 20,
  });

  // Rows that are put in above must not push away what is being read.
  const reading = useRef({ at: 0, top: 0, within: 0 });
  const remember = () => {
    const element = room.current;
    const first = element && virtual.getVirtualItemForOffset(element.scrollTop);
    if (!element || !first || first.index >= output.rowCount) return;
    reading.current = {
      at: output.row(first.index).at,
      top: element.scrollTop,
      within: element.scrollTop - first.start,
    };
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: after each change of what is in it
  useLayoutEffect(() => {
    const element = room.current;
    if (!element || output.rowCount === 0) return;
    if (follow) {
      virtual.scrollToIndex(output.rowCount - 1, { align: 'end' });
      return;
    }
    const { at, within } = reading.current;
    const index = output.rowOf(at);
    const place = virtual.getOffsetForIndex(index, 'start')?.[0];
    if (place !== undefined && reading.current.top > 0 && Math.abs(place + within - element.scrollTop) > 1)
      element.scrollTop = place + within;
  }, [version, follow, wrap]);

  useEffect(() => {
    if (match !== null) virtual.scrollToIndex(match.row, { align: 'center' });
  }, [match, virtual]);

  // It goes back by itself too, when rows turn out lower than they were taken for: only somebody's hand ends the following.
  const hand = useRef(Number.NEGATIVE_INFINITY);
  const touched = () => {
    hand.current = performance.now();
  };
  const onScroll = () => {
    const element = room.current;
    if (!element) return;
    const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
    const byHand = performance.now() - hand.current < HAND_MS;
    if (follow && byHand && !isAtEnd && element.scrollTop < reading.current.top - 2) onFollow(false);
    remember();
  };

  return (
    <section
      ref={room}
      className={classes.room}
      data-wrap={wrap}
      onScroll={onScroll}
      onWheel={touched}
      onTouchMove={touched}
      onKeyDown={touched}
      onPointerDown={() => {
        // the scroll bar is held, for as long as nothing is heard of the pointer
        hand.current = Number.POSITIVE_INFINITY;
      }}
      onPointerMove={() => {
        if (hand.current === Number.POSITIVE_INFINITY) touched();
      }}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
      tabIndex={0}
      aria-label={label}
    >
      <div className={classes.rows} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, key, start }) => {
          const row = output.row(index);
          return (
            <div
              key={key}
              ref={wrap ? virtual.measureElement : undefined}
              data-index={index}
              className={classes.row}
              style={{ transform: `translateY(${start}px)` }}
            >
              {row.kind === 'text' ? (
                <Line
                  text={row.text}
                  style={row.style}
                  wanted={wanted}
                  current={match?.row === index ? match.nth : null}
                />
              ) : (
                <Gap {...props} range={row.range} missing={row.missing} />
              )}
            </div>
          );
        })}
      </div>
    </section>
  );
}

const Line = memo(function Line({
  text,
  style,
  wanted,
  current,
}: {
  text: string;
  style: string;
  wanted: string;
  current: number | null;
}) {
  const pieces = piecesOf(text, style);
  const matches = wanted === '' ? [] : findAll(pieces.map((piece) => piece.text).join(''), wanted);
  const cut = cutAt(pieces, matches);
  if (cut.length === 0) return <br />;
  return cut.map(({ piece, at, match }) => (
    <span key={at} className={piece.names.map((name) => classes[name]).join(' ') || undefined} style={styleOf(piece)}>
      {match === null ? piece.text : <mark data-current={match === current}>{piece.text}</mark>}
    </span>
  ));
});

/** Any colour at all, brought so near to the ink or the panel that it can be read in both schemes. */
function styleOf({ colour, ground }: Piece): React.CSSProperties | undefined {
  if (colour === null && ground === null) return undefined;
  return {
    ...(colour === null ? {} : { color: `color-mix(in oklab, rgb(${colour}) 35%, var(--ry-ink))` }),
    ...(ground === null ? {} : { background: `color-mix(in oklab, rgb(${ground}) 22%, var(--ry-panel))` }),
  };
}

function Gap({ range, missing, output, onMore, onAll, onAgain }: OutputTextProps & { range: Range; missing: boolean }) {
  const size = bytesText(range.end - range.start);
  if (missing)
    return (
      <span className={classes.missing}>
        {size} {output.sealed ? 'are missing here: they never came' : 'have not come yet'}
        <Button size="compact-xs" variant="subtle" onClick={onAgain}>
          Ask again
        </Button>
      </span>
    );
  const isRead = range.end === output.size || range.end - range.start < 64 * 1024;
  return (
    <span className={classes.gap}>
      {isRead ? `Reading ${size} …` : `${size} are not shown`}
      {!isRead && (
        <>
          <Button size="compact-xs" variant="default" onClick={() => onMore(range)}>
            Show 1 MiB more
          </Button>
          <Button size="compact-xs" variant="default" onClick={onAll}>
            Show all
          </Button>
        </>
      )}
    </span>
  );
}
