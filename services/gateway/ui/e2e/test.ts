/**
 * What the tests of the web app share: a browser that is signed in, the API to prepare things with, and eyes for what a person
 * would mind: errors in the console, parts that a keyboard or a screen reader cannot use, pages wider than the screen.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { type APIRequestContext, type Browser, test as base, expect, type Page } from '@playwright/test';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API, in tests that look at them field by field
export type Json = any;

/** The API as the administrator. Every call fails the test unless the answer is what was expected. */
export class Api {
  constructor(
    private readonly request: APIRequestContext,
    readonly url: string,
    readonly token: string,
  ) {}

  async call(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<Json> {
    const answer = await this.request.fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined ? {} : { data: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    expect(answer.ok(), `${method} ${path}: ${answer.status()} ${text.slice(0, 500)}`).toBe(true);
    return text === '' ? null : JSON.parse(text);
  }

  /** A workflow, published and active, as every list knows it: its id. */
  async workflow(document: unknown): Promise<string> {
    const made = await this.call('POST', '/workflows', document);
    await this.call('POST', `/workflows/${made.workflowId}/publish`);
    await this.known((await this.call('POST', `/workflows/${made.workflowId}/activate`)).position);
    return made.workflowId;
  }

  /** What was done to workflows can be read. */
  async known(position: number): Promise<void> {
    for (const list of ['workflows', 'schedules']) await this.call('GET', `/${list}?minPosition=${position}`);
  }

  /** A new execution: its id. */
  async run(workflowId: string, variables: unknown = {}): Promise<string> {
    return (await this.call('POST', `/workflows/${workflowId}/run`, { variables })).executionId;
  }

  execution(executionId: string): Promise<Json> {
    return this.call('GET', `/executions/${executionId}`);
  }

  async until(executionId: string, status: string): Promise<Json> {
    await expect.poll(async () => (await this.execution(executionId)).status).toBe(status);
    return this.execution(executionId);
  }
}

/** A name that no other test has. */
export function unique(name: string): string {
  return `${name} ${Math.random().toString(36).slice(2, 8)}`;
}

export async function signIn(page: Page, url: string, key: string): Promise<void> {
  const answer = await page.context().request.post(`${url}/api/v1/session`, { data: { key } });
  expect(answer.status()).toBe(201);
}

/** A page of somebody else, in a browser of their own; close its context at the end. */
export async function pageOf(browser: Browser, api: Api, key: string): Promise<Page> {
  const context = await browser.newContext({
    baseURL: api.url,
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'UTC',
  });
  const page = await context.newPage();
  await signIn(page, api.url, key);
  return page;
}

/** Scripts of jobs wait at it until the test lets them go on: how busy the machine is decides nothing. */
export class Gate {
  private readonly directory = mkdtempSync(join(tmpdir(), 'runyard-gate-'));

  /** Part of a script: waits for `open` of this name, or for the end of the test. */
  wait(name: string): string {
    return `while [ -d ${this.directory} ] && [ ! -e ${this.directory}/${name} ]; do sleep 0.05; done`;
  }

  open(name: string): void {
    writeFileSync(join(this.directory, name), '');
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }
}

interface Fixtures {
  api: Api;
  gate: Gate;
  /** Signed in as the administrator; whatever the console complains of fails the test. */
  page: Page;
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: how a fixture without others is written
  baseURL: async ({}, use) => use(process.env.RUNYARD_URL ?? ''),
  api: async ({ request }, use) =>
    use(new Api(request, process.env.RUNYARD_URL ?? '', process.env.RUNYARD_TOKEN ?? '')),
  // biome-ignore lint/correctness/noEmptyPattern: how a fixture without others is written
  gate: async ({}, use) => {
    const gate = new Gate();
    await use(gate);
    gate.remove();
  },
  page: async ({ page, api }, use) => {
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      // an answer other than 2xx is the test's business, and is shown as an error by the browser in any case
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        complaints.push(message.text());
    });
    await signIn(page, api.url, api.token);
    await use(page);
    expect(complaints, 'the console has errors').toEqual([]);
  },
});

export { expect };

/** WCAG 2.2 AA as far as a program can tell, and nothing wider than the screen. */
export async function expectUsable(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
    .analyze();
  expect(
    violations.map((each) => `${each.id}: ${each.help}: ${each.nodes.map((node) => node.target.join(' ')).join(', ')}`),
  ).toEqual([]);
  const width = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  expect(width[0], 'the page is wider than the screen').toBeLessThanOrEqual(width[1] ?? 0);
}

/** Looks at the page in light, dark and at 360 px: usable in each. */
export async function lookAt(page: Page): Promise<void> {
  const size = page.viewportSize() ?? { width: 1280, height: 800 };
  for (const [scheme, width] of [
    ['light', size.width],
    ['dark', size.width],
    ['light', 360],
  ] as const) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height: size.height });
    await page.mouse.move(0, 0);
    // colours are judged when all of them have changed
    await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', scheme);
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    // an inherited colour changes from the outside in, one element after the other
    await expect
      .poll(() => page.evaluate(() => document.getAnimations().filter((each) => each instanceof CSSTransition).length))
      .toBe(0);
    await expectUsable(page);
  }
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
}

/** From now on: tells what has moved by itself. Whoever clicks on what has just moved hits something else. */
export async function watchShifts(page: Page): Promise<() => Promise<string[]>> {
  const shifts = await page.evaluateHandle(() => {
    const seen: string[] = [];
    new PerformanceObserver((list) => {
      for (const each of list.getEntries() as (PerformanceEntry & {
        value: number;
        hadRecentInput: boolean;
        sources: { node: Node | null; previousRect: DOMRect; currentRect: DOMRect }[];
      })[]) {
        const moved = each.sources.map(({ node, previousRect: from, currentRect: to }) => {
          const what = (node as HTMLElement | null)?.outerHTML?.slice(0, 120) ?? '?';
          return `${from.x},${from.y} ${from.width}×${from.height} to ${to.x},${to.y} ${to.width}×${to.height} ${what}`;
        });
        // a line that follows the clock is no shift that anybody minds
        if (!each.hadRecentInput && each.value >= 0.001) seen.push(`${each.value.toFixed(4)}: ${moved.join(' | ')}`);
      }
    }).observe({ type: 'layout-shift' });
    return seen;
  });
  return () => shifts.jsonValue();
}
