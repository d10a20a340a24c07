import { expect, test } from 'vitest';
import { cutAt, findAll, piecesOf, plainText } from './ansi';

test('colours become names, not markup', () => {
  expect(piecesOf('\x1b[1;31mfailed\x1b[0m: <b>disk</b> & "more"', '')).toEqual([
    { text: 'failed', names: ['ansi-red-fg', 'ansi-bold'], colour: null, ground: null },
    { text: ': <b>disk</b> & "more"', names: [], colour: null, ground: null },
  ]);
});

test('a colour that is in force from a line before goes on', () => {
  expect(piecesOf('still', '\x1b[32m')).toEqual([
    { text: 'still', names: ['ansi-green-fg'], colour: null, ground: null },
  ]);
  // and does not leak into another row
  expect(piecesOf('\x1b[31mred', '')[0]?.names).toEqual(['ansi-red-fg']);
  expect(piecesOf('plain', '')[0]?.names).toEqual([]);
  expect(piecesOf('a\x1b[4mb', '').map((piece) => piece.names)).toEqual([[], ['ansi-underline']]);
});

test('colours beyond the sixteen are numbers', () => {
  expect(piecesOf('\x1b[38;2;1;2;3;48;5;196mx', '')[0]).toMatchObject({ colour: '1,2,3', ground: '255,0,0' });
});

test.each([
  ['10 %\r20 %\r30 %', '30 %'],
  ['done\r', 'done'],
  ['\x1b]0;title\x07text', 'text'],
  ['\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\', 'link'],
  ['bell\x07 and null\x00', 'bell␇ and null␀'],
  ['cut \x1b[3', 'cut [3'],
  ['\x1b[2Kcleared', 'cleared'],
  ['\tindented', '\tindented'],
])('what a terminal would do with %j', (text, shown) => {
  expect(plainText(text)).toBe(shown);
});

test('matches cut through colours, whatever is upper or lower case', () => {
  const pieces = piecesOf('an \x1b[31mErr\x1b[0mor and an error', '');
  const text = pieces.map((piece) => piece.text).join('');
  const matches = findAll(text, 'ERROR');
  expect(matches).toEqual([
    [3, 8],
    [16, 21],
  ]);
  expect(cutAt(pieces, matches).map(({ piece, match }) => [piece.text, match])).toEqual([
    ['an ', null],
    ['Err', 0],
    ['or', 0],
    [' and an ', null],
    ['error', 1],
  ]);
  expect(findAll('text', '')).toEqual([]);
});
