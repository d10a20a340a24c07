import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { exampleFor } from './senders';

const MADE = { url: 'https://runyard.example/api/v1/webhooks/k', secret: "s'1", maxAgeSeconds: null } as const;

/** What curl would be called with, one argument a line. */
function argumentsOf(script: string): string[] {
  const shell = `curl() { printf '%s\\n' "$@"; }\n${script}`;
  return execFileSync('/bin/sh', ['-c', shell], { encoding: 'utf8' }).trim().split('\n');
}

test('the curl line of a bearer webhook shows the secret as it is', () => {
  const { text } = exampleFor({ ...MADE, auth: 'bearer', preset: 'generic' });
  expect(argumentsOf(text)).toContain("Authorization: Bearer s'1");
});

test('the lines for a signing webhook sign what they send', () => {
  const { text } = exampleFor({ ...MADE, auth: 'hmac', preset: 'generic' });
  const given = argumentsOf(text);
  const signature = createHmac('sha256', "s'1")
    .update(given.at(-1) ?? '')
    .digest('hex');
  expect(given).toContain(`X-Runyard-Signature: sha256=${signature}`);
});

test('with an age limit the time is part of what is signed', () => {
  const { text } = exampleFor({ ...MADE, auth: 'hmac', preset: 'generic', maxAgeSeconds: 60 });
  const given = argumentsOf(text);
  const at = given.find((each) => each.startsWith('X-Runyard-Timestamp: '))?.split(' ')[1];
  const signature = createHmac('sha256', "s'1")
    .update(`${at}.${given.at(-1)}`)
    .digest('hex');
  expect(given).toContain(`X-Runyard-Signature: sha256=${signature}`);
});
