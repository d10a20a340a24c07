/** A real agent in a process of its own, started by the command that the web app shows for it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from '@playwright/test';

const ROOT = resolve(import.meta.dirname, '../../../..');

export class Agent {
  private readonly directory = mkdtempSync(join(tmpdir(), 'runyard-agent-'));
  private readonly process: ChildProcess;
  private output = '';

  constructor(command: string) {
    const [program, ...options] = command.split(' ');
    expect(program).toBe('runyard-agent');
    this.process = spawn(join(ROOT, '.venv/bin/python'), ['-m', 'runyard_agent', ...options], {
      env: { ...process.env, RUNYARD_AGENT_STATE_DIR: this.directory },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
  }

  ended(): Promise<number | null> {
    const { process } = this;
    return process.exitCode !== null
      ? Promise.resolve(process.exitCode)
      : new Promise((resolve) => process.once('exit', resolve));
  }

  async remove(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended();
    rmSync(this.directory, { recursive: true, force: true });
  }

  toString(): string {
    return this.output;
  }
}
