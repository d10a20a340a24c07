import { render, screen } from '@testing-library/react';
import { Suspense } from 'react';
import { expect, test } from 'vitest';
import { lazyPart } from './lazyPart';

test('a part that cannot be loaded at first, as while the server is restarted, is loaded a little later', async () => {
  let asked = 0;
  const Part = lazyPart(async () => {
    asked += 1;
    if (asked === 1) throw new TypeError('Failed to fetch dynamically imported module');
    return ({ name }: { name: string }) => <p>{name} is here</p>;
  });
  render(
    <Suspense fallback="loading">
      <Part name="The graph" />
    </Suspense>,
  );
  expect(screen.getByText('loading')).toBeTruthy();
  expect(await screen.findByText('The graph is here', {}, { timeout: 4000 })).toBeTruthy();
  expect(asked).toBe(2);
});
