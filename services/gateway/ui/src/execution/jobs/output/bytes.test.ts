import { describe, expect, test } from 'vitest';
import { OutputBytes } from './bytes';

const bytes = (text: string) => new TextEncoder().encode(text);

function shown(output: OutputBytes): string[] {
  return Array.from({ length: output.rowCount }, (_, index) => {
    const row = output.row(index);
    if (row.kind === 'text') return row.text;
    return `${row.missing ? 'missing' : 'gap'} ${row.range.start}-${row.range.end}`;
  });
}

describe('the bytes of an output', () => {
  test('come in any order and more than once, and give the same text', () => {
    const whole = 'one\ntwo\nthree, with ümläuts and 🚀\nfour';
    const all = bytes(whole);
    const pieces: [number, number][] = [];
    for (let at = 0; at < all.length; at += 5) pieces.push([at, Math.min(at + 8, all.length)]);
    for (const order of [
      pieces,
      [...pieces].reverse(),
      [...pieces.filter((_, index) => index % 2), ...pieces, ...pieces],
    ]) {
      const output = new OutputBytes();
      for (const [from, to] of order) output.put(from, all.slice(from, to));
      expect(shown(output)).toEqual(whole.split('\n'));
      expect(output.gaps()).toEqual([]);
      expect(output.size).toBe(all.length);
    }
  });

  test('count in bytes, not in characters', () => {
    const output = new OutputBytes();
    output.putText(0, 'grün\n');
    output.putText(6, 'ok\n');
    expect(output.gaps()).toEqual([]);
    expect(shown(output)).toEqual(['grün', 'ok']);
  });

  test('with a hole show the hole, until it is filled', () => {
    const output = new OutputBytes();
    output.putText(0, 'first\n');
    output.putText(13, 'third\n');
    expect(output.gaps()).toEqual([{ start: 6, end: 13 }]);
    expect(shown(output)).toEqual(['first', 'gap 6-13', 'third']);
    output.put(4, bytes('t\nsecond\nthi'));
    expect(output.gaps()).toEqual([]);
    expect(shown(output)).toEqual(['first', 'second', 'third']);
  });

  test('that the server has not are missing, and never asked for or passed over in silence', () => {
    const output = new OutputBytes();
    output.put(0, bytes('begin\n'));
    output.put(20, bytes('end\n'));
    output.lose({ start: 6, end: 20 });
    output.know(24, true, 'abc');
    expect(output.gaps()).toEqual([]);
    expect(output.missing()).toEqual([{ start: 6, end: 20 }]);
    expect(output.isComplete).toBe(false);
    expect(shown(output)).toEqual(['begin', 'missing 6-20', 'end']);
    // a part of it comes after all
    output.put(6, bytes('late\n'));
    expect(shown(output)).toEqual(['begin', 'late', 'missing 11-20', 'end']);
    output.forgetLost();
    expect(output.gaps()).toEqual([{ start: 11, end: 20 }]);
  });

  test('that were no valid UTF-8 are not guessed from live text', () => {
    const output = new OutputBytes();
    output.putText(0, 'ok \uFFFD and more');
    expect(shown(output)).toEqual(['ok ', 'gap 3-4']);
    output.put(3, new Uint8Array([0xff, 0x0a]));
    expect(shown(output)).toEqual(['ok \uFFFD']);
  });

  test('known to be there, but not here, are a gap at the end', () => {
    const output = new OutputBytes();
    output.put(0, bytes('a\n'));
    output.know(10, false, null);
    expect(output.gaps()).toEqual([{ start: 2, end: 10 }]);
    expect(output.gaps(5)).toEqual([{ start: 5, end: 10 }]);
  });

  test('beginning within a character are shown from the next one on', () => {
    const output = new OutputBytes();
    const text = bytes('ü tail\n');
    output.put(101, text.slice(1));
    expect(shown(output)).toEqual(['gap 0-101', ' tail']);
  });

  test('of a last line that is not finished are continued', () => {
    const output = new OutputBytes();
    output.putText(0, 'downloading');
    output.putText(11, ' …');
    output.putText(15, ' done\nnext');
    expect(shown(output)).toEqual(['downloading … done', 'next']);
  });

  test('of a very long line are several rows, and no character is cut', () => {
    const output = new OutputBytes();
    const line = 'é'.repeat(10_000);
    output.put(0, bytes(`${line}\nend`));
    const rows = shown(output);
    expect(rows.length).toBe(6);
    expect(rows.slice(0, -1).join('')).toBe(line);
    expect(rows.at(-1)).toBe('end');
  });

  test('keep the colour that a line before has set', () => {
    const output = new OutputBytes();
    output.putText(0, '\x1b[31mred\nstill red\x1b[0m\nplain\n\x1b[1;32mbold green\nand so on\n');
    const styles = Array.from({ length: 5 }, (_, index) => {
      const row = output.row(index);
      return row.kind === 'text' ? row.style : null;
    });
    expect(styles).toEqual(['', '\x1b[31m', '', '', '\x1b[1;32m']);
  });

  test('are found by their place', () => {
    const output = new OutputBytes();
    output.putText(0, 'aa\nbb\n');
    output.putText(20, 'cc\ndd\n');
    expect([0, 2, 3, 10, 20, 24].map((at) => output.rowOf(at))).toEqual([0, 0, 1, 2, 3, 4]);
  });

  test('may be 20 MiB', () => {
    const line = bytes(`${'x'.repeat(79)}\n`);
    const part = new Uint8Array(1024 * 1024 - ((1024 * 1024) % 80));
    for (let at = 0; at < part.length; at += 80) part.set(line, at);
    const output = new OutputBytes();
    const started = performance.now();
    for (let index = 20; index >= 0; index--) output.put(index * part.length, part);
    expect(output.rowCount).toBe((part.length / 80) * 21);
    expect(output.row(200_000)).toMatchObject({ kind: 'text', at: 16_000_000 });
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
