/** A real Runyard in one process, with a data directory of its own; tests may kill it and start it again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../../..');
const READY_SECONDS = 90;

export class Server {
  private process: ChildProcess | null = null;
  private output = '';

  private constructor(
    readonly url: string,
    readonly token: string,
    private readonly directory: string,
  ) {}

  static async start(): Promise<Server> {
    const directory = mkdtempSync(join(tmpdir(), 'runyard-e2e-'));
    const server = new Server(`http://127.0.0.1:${await freePort()}`, randomBytes(24).toString('base64url'), directory);
    await server.run();
    return server;
  }

  /** Its data directory. */
  get data(): string {
    return join(this.directory, 'data');
  }

  /** All that it has printed so far. */
  get printed(): string {
    return this.output;
  }

  /** Starts it on its port and its data; resolves when it is ready. */
  async run(): Promise<void> {
    this.process = spawn(join(ROOT, '.venv/bin/python'), ['-m', 'runyard_standalone', '--no-demo'], {
      cwd: this.directory,
      env: {
        ...process.env,
        RUNYARD_PORT: new URL(this.url).port,
        RUNYARD_DATA_DIR: this.data,
        RUNYARD_ADMIN_TOKEN: this.token,
        FORCE_COLOR: undefined, // of the test runner: what is printed here is read by a program
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
    const until = Date.now() + READY_SECONDS * 1000;
    while (!(await this.ready())) {
      if (Date.now() > until || this.process.exitCode !== null)
        throw new Error(`Runyard did not start:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const ending = this.process;
    this.process = null;
    if (ending === null || ending.exitCode !== null) return;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill(signal);
    await ended;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async ready(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/readyz`)).ok;
    } catch {
      return false; // it does not listen yet
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
