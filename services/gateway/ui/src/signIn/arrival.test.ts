import { expect, test } from 'vitest';
import { keyOf, pageOf, refusalOf } from './arrival';

const HOME = '/automation/executions';

test('a key in the fragment is read to the letter', () => {
  expect(keyOf('#key=ryd_a%2Bb%2Fc%3D%3D')).toBe('ryd_a+b/c==');
  expect(keyOf('#key=ryd_a+b')).toBe('ryd_a+b');
  expect(keyOf('#key=100%')).toBe('100%');
  for (const hash of ['', '#', '#key=', '#other']) expect(keyOf(hash)).toBeNull();
});

test('whoever has signed in goes on to a page of this app, and to no other site', () => {
  const page = (returnTo: string | null) => pageOf(returnTo, 'https://runyard.example');
  expect(page('/automation/executions?status=failed&q=a%20b#x')).toBe('/automation/executions?status=failed&q=a%20b#x');
  expect(page('/settings/users')).toBe('/settings/users');
  for (const bad of [
    null,
    '',
    '/',
    'settings',
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example/',
    '/\t/evil.example/',
    '/\n\\evil.example',
    'javascript:alert(1)',
    '/sign-in?returnTo=/sign-in',
  ])
    expect(page(bad), String(bad)).toBe(HOME);
});

test('a refusal is said in our own words', () => {
  expect(refusalOf(null)).toBeNull();
  expect(refusalOf('unavailable')).toContain('does not answer');
  for (const other of ['Call +1 555', 'toString']) expect(refusalOf(other)).toContain('was refused');
});
