import { defineConfig } from '@playwright/test';

// workers inherit it: each run has a folder of its own
process.env.RUNYARD_E2E_RUN ??= String(process.pid);

/** Against a real server of its own (e2e/serverSetup.ts) or that of RUNYARD_URL and RUNYARD_TOKEN; Chromium is Debian's. */
export default defineConfig({
  testDir: 'e2e',
  testMatch: '**/*.spec.ts',
  // `make pictures` takes those of the documentation, in a world of its own
  testIgnore: process.env.RUNYARD_PICTURES ? [] : ['pictures/**'],
  ...(process.env.RUNYARD_PICTURES ? {} : { globalSetup: './e2e/serverSetup.ts' }),
  outputDir: `test-results/${process.env.RUNYARD_E2E_RUN}`,
  fullyParallel: true,
  workers: Number(process.env.RUNYARD_E2E_WORKERS ?? 2),
  retries: 0,
  forbidOnly: process.env.CI !== undefined,
  // how long a busy machine takes is no finding: whoever waits in vain waits no longer than this
  timeout: 300_000,
  expect: { timeout: 60_000 },
  reporter: [['list']],
  use: {
    browserName: 'chromium',
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
    screenshot: 'only-on-failure',
    trace: process.env.RUNYARD_TRACE ? 'retain-on-failure' : 'off',
    launchOptions: {
      executablePath: process.env.RUNYARD_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
