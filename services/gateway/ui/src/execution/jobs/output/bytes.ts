/**
 * What is known of one output stream of a job: its bytes by their place, in whatever order and however often they come; what the
 * server says is missing; how large it is. Rows of text are indexed as bytes arrive and decoded when they are shown, so that
 * 20 MiB are no trouble.
 */

/** Bytes, `end` excluded. */
export interface Range {
  start: number;
  end: number;
}

export type Row =
  | { kind: 'text'; at: number; text: string /** ANSI sequences that are in force where it begins. */; style: string }
  /** Bytes that exist and are not here: not asked for, or (`missing`) not come. */
  | { kind: 'gap'; at: number; range: Range; missing: boolean };

const NEWLINE = 10;
const ESCAPE = 27;
/** A row is at most so long: a longer line goes on in the next. */
const ROW_BYTES = 4096;
const decoder = new TextDecoder('utf-8');
const encoder = new TextEncoder();

export class OutputBytes {
  /** In order, apart from each other. */
  private segments: Segment[] = [];
  private lost: Range[] = [];
  private parts: Part[] | null = null;
  /** As far as is known: of what was written, come or not. */
  size = 0;
  /** Nothing follows. */
  sealed = false;
  sha256: string | null = null;
  /** Another one whenever anything changed. */
  version = 0;

  put(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    for (const { start, end: to } of this.without(offset, end))
      this.insert(start, bytes.subarray(start - offset, to - offset));
    this.grow(end);
  }

  /**
   * Live text. A character that is no valid UTF-8 was replaced on its way, and then nobody knows how many bytes it stands for: what
   * comes before it is taken, the rest is left to be read.
   */
  putText(offset: number, text: string): void {
    const doubtful = text.indexOf('\uFFFD');
    const bytes = encoder.encode(doubtful < 0 ? text : text.slice(0, doubtful));
    this.put(offset, bytes);
    if (doubtful >= 0) this.grow(offset + bytes.length + 1);
  }

  /** What an answer said of the whole stream. */
  know(size: number, sealed: boolean, sha256: string | null): void {
    this.grow(size);
    if (sealed !== this.sealed || sha256 !== this.sha256) this.changed();
    this.sealed ||= sealed;
    this.sha256 = sha256 ?? this.sha256;
  }

  /** These have not come to the server. */
  lose(range: Range): void {
    this.lost.push(range);
    this.changed();
  }

  /** Whether they have come may be asked again. */
  forgetLost(): void {
    if (this.lost.length === 0) return;
    this.lost = [];
    this.changed();
  }

  /** From `from` on: what exists, is not here, and is not known to be missing. */
  gaps(from = 0): Range[] {
    return this.absent(from)
      .filter((each) => !each.missing)
      .map(({ range }) => range);
  }

  missing(): Range[] {
    return this.absent(0)
      .filter((each) => each.missing)
      .map(({ range }) => range);
  }

  get held(): number {
    return this.segments.reduce((sum, each) => sum + each.length, 0);
  }

  get isComplete(): boolean {
    return this.sealed && this.held === this.size;
  }

  /** All of it, once it is complete. */
  all(): Uint8Array {
    return this.segments[0]?.bytes() ?? new Uint8Array();
  }

  get rowCount(): number {
    const last = this.layout().at(-1);
    return last === undefined ? 0 : last.first + last.count;
  }

  row(index: number): Row {
    const part = this.partAt(index);
    if (part.segment === null) return { kind: 'gap', at: part.range.start, range: part.range, missing: part.missing };
    return part.segment.row(index - part.first);
  }

  /** The row with this byte. */
  rowOf(at: number): number {
    const part = this.layout().find(({ range }) => at < range.end) ?? this.layout().at(-1);
    if (part === undefined) return 0;
    return part.first + (part.segment === null ? 0 : part.segment.rowOf(at));
  }

  private layout(): Part[] {
    if (this.parts !== null) return this.parts;
    const gaps = this.absent(0).map(
      ({ range, missing }): Omit<Part, 'first'> => ({ range, missing, segment: null, count: 1 }),
    );
    const texts = this.segments.map(
      (segment): Omit<Part, 'first'> => ({
        range: { start: segment.start, end: segment.end },
        missing: false,
        segment,
        count: segment.rowCount,
      }),
    );
    let first = 0;
    this.parts = [...gaps, ...texts]
      .sort((one, other) => one.range.start - other.range.start)
      .map((part) => {
        const placed = { ...part, first };
        first += part.count;
        return placed;
      });
    return this.parts;
  }

  private partAt(index: number): Part {
    const found = this.layout().findLast((part) => part.first <= index);
    if (found === undefined) throw new RangeError(`there is no row ${index}`);
    return found;
  }

  private absent(from: number): { range: Range; missing: boolean }[] {
    const found: { range: Range; missing: boolean }[] = [];
    for (const { start, end } of this.without(from, this.size)) {
      let at = start;
      const lost = this.lost
        .filter((each) => each.start < end && each.end > start)
        .sort((one, other) => one.start - other.start);
      for (const each of lost) {
        const begin = Math.max(each.start, at);
        const until = Math.min(each.end, end);
        if (until <= begin) continue;
        if (begin > at) found.push({ range: { start: at, end: begin }, missing: false });
        found.push({ range: { start: begin, end: until }, missing: true });
        at = until;
      }
      if (at < end) found.push({ range: { start: at, end }, missing: false });
    }
    return found;
  }

  /** The parts of this range that are not here. */
  private without(from: number, to: number): Range[] {
    const found: Range[] = [];
    let at = from;
    for (const { start, end } of this.segments) {
      if (end <= at) continue;
      if (start >= to) break;
      if (start > at) found.push({ start: at, end: start });
      at = end;
    }
    if (at < to) found.push({ start: at, end: to });
    return found;
  }

  private insert(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    const next = this.segments.findIndex((each) => each.start >= end);
    const at = next < 0 ? this.segments.length : next;
    const before = this.segments[at - 1];
    const after = this.segments[at];
    let segment: Segment;
    if (before?.end === offset) {
      segment = before;
      segment.append(bytes);
    } else {
      segment = new Segment(offset);
      segment.append(bytes);
      this.segments.splice(at, 0, segment);
    }
    if (after?.start === end) {
      segment.append(after.bytes());
      this.segments.splice(this.segments.indexOf(after), 1);
    }
    this.changed();
  }

  private grow(size: number): void {
    if (size <= this.size) return;
    this.size = size;
    this.changed();
  }

  private changed(): void {
    this.version += 1;
    this.parts = null;
  }
}

interface Part {
  range: Range;
  missing: boolean;
  segment: Segment | null;
  /** Of its rows, among all. */
  first: number;
  count: number;
}

/** Consecutive bytes, and where their rows begin. */
class Segment {
  private buffer = new Uint8Array(1024);
  private rows: number[] = [];
  private escapes: number[] = [];
  length = 0;

  constructor(readonly start: number) {}

  get end(): number {
    return this.start + this.length;
  }

  get rowCount(): number {
    return this.rows.length;
  }

  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const from = this.length;
    if (from + bytes.length > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.buffer.length * 2, from + bytes.length));
      larger.set(this.bytes());
      this.buffer = larger;
    }
    this.buffer.set(bytes, from);
    this.length += bytes.length;
    for (let at = bytes.indexOf(ESCAPE); at >= 0; at = bytes.indexOf(ESCAPE, at + 1)) this.escapes.push(from + at);
    if (from === 0 || this.buffer[from - 1] === NEWLINE) this.rows.push(from);
    let at = from;
    while (at < this.length) {
      const newline = this.buffer.indexOf(NEWLINE, at);
      const end = newline < 0 || newline >= this.length ? this.length : newline + 1;
      this.breakLong(end);
      if (end === this.length) break; // whether another row begins here is known when something comes
      this.rows.push(end);
      at = end;
    }
  }

  private breakLong(end: number): void {
    for (let begin = this.rows.at(-1) ?? 0; end - begin > ROW_BYTES; begin = this.rows.at(-1) ?? end) {
      let at = begin + ROW_BYTES;
      while (at > begin + 1 && isContinuation(this.buffer[at])) at -= 1;
      this.rows.push(at);
    }
  }

  row(index: number): Row {
    const begin = this.rows[index] ?? 0;
    let from = begin;
    // a segment may begin within a character
    if (index === 0 && this.start > 0) while (from < begin + 3 && isContinuation(this.buffer[from])) from += 1;
    const end = this.rows[index + 1] ?? this.length;
    return {
      kind: 'text',
      at: this.start + begin,
      text: decoder.decode(this.buffer.subarray(from, end)).replace(/\r?\n$/, ''),
      style: this.styleBefore(begin),
    };
  }

  rowOf(at: number): number {
    return Math.max(0, countUpTo(this.rows, at - this.start) - 1);
  }

  /** The colours that were set before this place and not reset since; of very many only the last. */
  private styleBefore(at: number): string {
    const set: string[] = [];
    for (let index = countUpTo(this.escapes, at - 1) - 1; index >= 0 && set.length < 16; index--) {
      const from = this.escapes[index] ?? 0;
      const sequence = decoder.decode(this.buffer.subarray(from, Math.min(from + 32, at)));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: it begins with ESC
      const match = /^\x1b\[([\d;]*)m/.exec(sequence);
      if (match === null) continue;
      if (match[1] === '' || match[1] === '0') break;
      set.push(match[0]);
      if (match[1]?.startsWith('0;')) break;
    }
    return set.reverse().join('');
  }
}

/** How many of the numbers, which ascend, are at most this. */
function countUpTo(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
