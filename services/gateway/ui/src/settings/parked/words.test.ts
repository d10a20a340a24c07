import { expect, test } from 'vitest';
import { kindOf, notRetryable, parsed, serviceOf, triedText } from './words';

test('a queue tells whose it is, also one that this version does not have', () => {
  expect(serviceOf('orchestrator.inbox.1')).toBe('Orchestrator');
  expect(serviceOf('projections.output')).toBe('Read models');
  expect(serviceOf('timers.inbox')).toBe('Another version');
});

test('how often it was tried is told apart from how often it was parked', () => {
  expect(triedText({ attempts: 0, times: 1 })).toBe('Not at all');
  expect(triedText({ attempts: 3, times: 1 })).toBe('3 times');
  expect(triedText({ attempts: 6, times: 2 })).toBe('6 times, parked twice');
  expect(triedText({ attempts: 0, times: 3 })).toBe('Not at all, parked 3 times');
});

test('what cannot be sent again says why', () => {
  expect(notRetryable({ status: 'waiting', retryable: true, settledBy: null })).toBeNull();
  expect(notRetryable({ status: 'waiting', retryable: false, settledBy: null })).toContain('Only part of it was kept');
  expect(notRetryable({ status: 'dropped', retryable: false, settledBy: 'mara' })).toBe('It was dropped by mara');
});

test('a body that is no JSON is shown as it is', () => {
  expect(parsed('{"type": "half')).toBeUndefined();
  expect(parsed('[1]')).toEqual([1]);
  expect(kindOf({ kind: '' })).toBe('Not readable');
});
