// node bench/list.mjs <address> <API key> <visits>: JSON of seconds from the navigation until rows of the list can be clicked,
// `cold` in a browser that has kept nothing, `warm` in one that was here before.
import { chromium } from '@playwright/test';

const [address, key, visits] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.RUNYARD_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
});

async function signedIn() {
  const context = await browser.newContext({ baseURL: address, viewport: { width: 1280, height: 800 } });
  const answer = await context.request.post('/api/v1/session', { data: { key } });
  if (answer.status() !== 201) throw new Error(`signing in was answered with ${answer.status()}`);
  return context;
}

async function visit(context) {
  const page = await context.newPage();
  const began = performance.now();
  await page.goto('/automation/executions', { waitUntil: 'commit' });
  // a row that can be clicked: drawn, and nothing that computes stands in the way
  await page.locator('tbody tr a').first().click({ trial: true });
  const seconds = (performance.now() - began) / 1000;
  await page.close();
  return seconds;
}

const times = { cold: [], warm: [] };
for (let count = 0; count < Number(visits); count += 1) {
  const context = await signedIn();
  times.cold.push(await visit(context));
  times.warm.push(await visit(context));
  await context.close();
}
await browser.close();
console.log(JSON.stringify(times));
