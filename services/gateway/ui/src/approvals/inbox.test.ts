import { expect, test } from 'vitest';
import type { ApprovalRow } from '@/api/types';
import { reduceInbox } from './inbox';

const row = (approvalId: string, message = '') => ({ approvalId, message }) as ApprovalRow;
const ids = (rows: readonly ApprovalRow[] | null) => rows?.map((each) => each.approvalId);

test('what comes is put in its place, oldest first', () => {
  const inbox = [row('a'), row('c')];
  expect(ids(reduceInbox(inbox, { type: 'row', row: row('b') }))).toEqual(['a', 'b', 'c']);
  expect(ids(reduceInbox(inbox, { type: 'row', row: row('d') }))).toEqual(['a', 'c', 'd']);
});

test('what changes stays where it is', () => {
  const changed = reduceInbox([row('a'), row('b')], { type: 'row', row: row('a', 'reminded') });
  expect(ids(changed)).toEqual(['a', 'b']);
  expect(changed?.[0]?.message).toBe('reminded');
});

test('what is decided is gone, and a page after a lost connection is the whole truth', () => {
  expect(ids(reduceInbox([row('a'), row('b')], { type: 'gone', approvalId: 'a' }))).toEqual(['b']);
  expect(ids(reduceInbox([row('a')], { type: 'page', rows: [row('z')] }))).toEqual(['z']);
});
