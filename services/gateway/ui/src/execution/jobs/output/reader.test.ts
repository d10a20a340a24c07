import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Problem } from '@/api/problem';
import { OutputReader, type Part } from './reader';

/** What a server has: `come` says how much of it, `holes` what of that never came. */
class Stored {
  come: number;
  sealed = true;
  holes: [number, number][] = [];
  asked: [number, number][] = [];
  failing: Problem | null = null;

  constructor(readonly bytes: Uint8Array) {
    this.come = bytes.length;
  }

  read = async (offset: number, limit: number): Promise<Part> => {
    this.asked.push([offset, limit]);
    if (this.failing) throw this.failing;
    const hole = this.holes.find(([start, end]) => offset >= start && offset < end);
    const from = hole ? hole[1] : offset;
    const next = this.holes.find(([start]) => start >= from);
    const to = Math.min(this.come, from + limit, next?.[0] ?? this.come);
    const missing = hole ?? (next && to === next[0] ? next : undefined);
    return {
      offset: from,
      bytes: this.bytes.slice(from, Math.max(to, from)),
      size: this.come,
      sealed: this.sealed && this.come === this.bytes.length,
      sha256: null,
      missing: missing ? { start: missing[0], end: missing[1] } : null,
    };
  };
}

const text = (size: number) =>
  new TextEncoder().encode('0123456789abcde\n'.repeat(Math.ceil(size / 16)).slice(0, size));
const MIB = 1024 * 1024;

describe('an output', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('that is finished is read once, and not again', async () => {
    const stored = new Stored(text(100_000));
    const reader = new OutputReader(stored.read);
    reader.follow(true, true);
    reader.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reader.output.isComplete).toBe(true);
    expect(stored.asked.length).toBe(2);
  });

  test('that is large shows its beginning and its end, and the rest when it is asked for', async () => {
    const stored = new Stored(text(20 * MIB));
    const reader = new OutputReader(stored.read);
    reader.follow(true, true);
    reader.start();
    await vi.advanceTimersByTimeAsync(5000);
    expect(reader.output.held).toBe(64 * 1024 + 512 * 1024);
    const [gap] = reader.output.gaps();
    expect(gap).toEqual({ start: 64 * 1024, end: 20 * MIB - 512 * 1024 });
    if (gap) reader.more(gap);
    await vi.advanceTimersByTimeAsync(5000);
    expect(reader.output.held).toBe(64 * 1024 + 512 * 1024 + MIB);
    reader.everything();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reader.output.isComplete).toBe(true);
    expect(Buffer.compare(reader.output.all(), stored.bytes)).toBe(0);
  });

  test('that is written while it is watched is whole, though pieces are lost, come late, twice and in disorder', async () => {
    const stored = new Stored(text(4000));
    stored.come = 500;
    stored.sealed = false;
    const reader = new OutputReader(stored.read);
    reader.follow(false, true);
    reader.start();
    await vi.advanceTimersByTimeAsync(100);
    const piece = (from: number, to: number) =>
      reader.hear(from, new TextDecoder().decode(stored.bytes.slice(from, to)));
    piece(1000, 1200); // what lies between was sent before we listened, and the server cannot read it back yet
    piece(1600, 1700);
    piece(1000, 1200);
    piece(1200, 1600);
    expect(reader.output.gaps()).toEqual([{ start: 500, end: 1000 }]);
    await vi.advanceTimersByTimeAsync(300);
    expect(reader.output.gaps()).toEqual([{ start: 500, end: 1000 }]);
    stored.come = 1700;
    await vi.advanceTimersByTimeAsync(3000);
    expect(reader.output.gaps()).toEqual([]);
    // the last pieces are lost, and the job ends
    stored.come = 4000;
    stored.sealed = true;
    reader.follow(true, true);
    await vi.advanceTimersByTimeAsync(3000);
    expect(reader.output.isComplete).toBe(true);
    expect(Buffer.compare(reader.output.all(), stored.bytes)).toBe(0);
    const asked = stored.asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(stored.asked.length).toBe(asked);
  });

  test('whose last pieces are lost while the job runs on is looked at now and then', async () => {
    const stored = new Stored(text(1000));
    stored.sealed = false;
    stored.come = 400;
    const reader = new OutputReader(stored.read);
    reader.follow(false, true);
    reader.start();
    await vi.advanceTimersByTimeAsync(100);
    stored.come = 900;
    await vi.advanceTimersByTimeAsync(10_500);
    expect(reader.output.held).toBe(900);
  });

  test('of which bytes have not come says so, and takes them when they come after all', async () => {
    const stored = new Stored(text(3000));
    stored.holes = [[1000, 1500]];
    const reader = new OutputReader(stored.read);
    reader.follow(true, true);
    reader.start();
    await vi.advanceTimersByTimeAsync(5000);
    expect(reader.output.missing()).toEqual([{ start: 1000, end: 1500 }]);
    expect(reader.output.held).toBe(2500);
    expect(stored.asked.length).toBeLessThan(10);
    await vi.advanceTimersByTimeAsync(60_000);
    const asked = stored.asked.length;
    await vi.advanceTimersByTimeAsync(600_000);
    expect(stored.asked.length).toBe(asked);
    stored.holes = [];
    reader.again();
    await vi.advanceTimersByTimeAsync(1000);
    expect(reader.output.isComplete).toBe(true);
  });

  test('whose seal overtakes some of its bytes is whole without anybody asking', async () => {
    const stored = new Stored(text(3000));
    stored.holes = [[1000, 1500]];
    const reader = new OutputReader(stored.read);
    reader.follow(true, true);
    reader.start();
    await vi.advanceTimersByTimeAsync(1000);
    expect(reader.output.missing()).toEqual([{ start: 1000, end: 1500 }]);
    stored.holes = [];
    await vi.advanceTimersByTimeAsync(6000);
    expect(reader.output.isComplete).toBe(true);
  });

  test('that cannot be read is tried again, and why is said meanwhile', async () => {
    const stored = new Stored(text(100));
    stored.failing = Problem.unreachable();
    const reader = new OutputReader(stored.read);
    reader.follow(true, true);
    reader.start();
    await vi.advanceTimersByTimeAsync(1000);
    expect(reader.current().problem?.unreachable).toBe(true);
    stored.failing = null;
    await vi.advanceTimersByTimeAsync(6000);
    expect(reader.current().problem).toBeNull();
    expect(reader.output.isComplete).toBe(true);
  });

  test('that was deleted is not asked for again', async () => {
    const stored = new Stored(text(100));
    stored.failing = new Problem(410, 'output_expired', '', '');
    const reader = new OutputReader(stored.read);
    reader.follow(true, true);
    reader.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reader.current().expired).toBe(true);
    expect(stored.asked.length).toBe(1);
  });
});

describe('a part of an output', () => {
  const answered = async (response: Response) => {
    const RealRequest = Request;
    // in a browser an address is relative to the page's
    vi.stubGlobal(
      'Request',
      class extends RealRequest {
        constructor(path: string, init: RequestInit) {
          super(new URL(path, 'https://runyard.example.com'), init);
        }
      },
    );
    vi.stubGlobal('fetch', async () => response);
    vi.resetModules();
    const { partsOf } = await import('./reader');
    return partsOf('e', 'j', 'stdout')(500, 100, new AbortController().signal);
  };
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test('without bytes is an answer like any other: what was shown live is all there is', async () => {
    const headers = {
      'Content-Length': '0',
      'X-Output-Offset': '500',
      'X-Output-Size': '500',
      'X-Output-Sealed': 'true',
      'X-Output-Sha256': 'a1',
    };
    expect(await answered(new Response(null, { headers }))).toEqual({
      offset: 500,
      bytes: new Uint8Array(),
      size: 500,
      sealed: true,
      sha256: 'a1',
      missing: null,
    });
  });

  test('that is refused says why', async () => {
    const problem = { code: 'output_expired', title: 'Gone', status: 410, detail: 'It was deleted.' };
    await expect(answered(Response.json(problem, { status: 410 }))).rejects.toMatchObject({
      code: 'output_expired',
      detail: 'It was deleted.',
    });
  });
});
