import { expect, test } from 'vitest';
import { merged } from './merge';

const BEFORE = 'name: Deploy\nnodes:\n  - {id: stop, seconds: 1}\n  - {id: copy}\n  - {id: start}\n';

test('changes of different places are both kept, and so is what each of them added', () => {
  const mine = BEFORE.replace('Deploy', 'Deploy the shop');
  const theirs = `${BEFORE.replace('seconds: 1', 'seconds: 5').replaceAll('\n', '\r\n')}  - {id: tell}\r\n`;
  const both =
    'name: Deploy the shop\nnodes:\n  - {id: stop, seconds: 5}\n  - {id: copy}\n  - {id: start}\n  - {id: tell}\n';
  expect(merged(BEFORE, mine, theirs, 'mine')).toEqual({ text: both, disputed: 0 });
});

test('where both changed the same, whose it keeps is chosen, and the others are kept all the same', () => {
  const mine = BEFORE.replace('seconds: 1', 'seconds: 2').replace('start', 'begin');
  const theirs = BEFORE.replace('seconds: 1', 'seconds: 5').replace('Deploy', 'Roll out');
  expect(merged(BEFORE, mine, theirs, 'mine')).toEqual({ text: mine.replace('Deploy', 'Roll out'), disputed: 1 });
  expect(merged(BEFORE, mine, theirs, 'theirs')).toEqual({ text: theirs.replace('start', 'begin'), disputed: 1 });
});

test('the same change twice is one', () => {
  const same = BEFORE.replace('seconds: 1', 'seconds: 5');
  expect(merged(BEFORE, same, same, 'mine')).toEqual({ text: same, disputed: 0 });
});
