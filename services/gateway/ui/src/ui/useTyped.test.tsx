import { act, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { useTyped } from './useTyped';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function field(value: string) {
  const said: string[] = [];
  const hook = renderHook(({ value }) => useTyped(value, (text) => said.push(text), 250), { initialProps: { value } });
  const type = (text: string) => act(() => hook.result.current.type(text));
  const pause = () => act(() => vi.advanceTimersByTime(250));
  return {
    said,
    type,
    pause,
    comes: (value: string) => hook.rerender({ value }),
    text: () => hook.result.current.text,
  };
}

test('what is typed while the address changes is not lost', () => {
  const { said, type, pause, comes, text } = field('');
  type('Clean ');
  pause();
  type('Clean a d');
  comes('Clean');
  expect(text()).toBe('Clean a d');
  pause();
  type('Clean a disk');
  pause();
  comes('Clean a d');
  expect(text()).toBe('Clean a disk');
  comes('Clean a disk');
  expect(text()).toBe('Clean a disk');
  expect(said).toEqual(['Clean', 'Clean a d', 'Clean a disk']);
});

test('a space at the end stays, and nothing is said twice', () => {
  const { said, type, pause, comes, text } = field('');
  type('Clean');
  pause();
  comes('Clean');
  type('Clean ');
  pause();
  expect(text()).toBe('Clean ');
  expect(said).toEqual(['Clean']);
});

test('what somebody else sets, as by going back, is shown, and what was about to be said is not', () => {
  const { said, type, pause, comes, text } = field('old');
  type('old and new');
  comes('');
  pause();
  expect(text()).toBe('');
  expect(said).toEqual([]);
  comes('old');
  expect(text()).toBe('old');
});
