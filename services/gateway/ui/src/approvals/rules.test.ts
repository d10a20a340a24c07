import { expect, test } from 'vitest';
import type { ApprovalRow, SessionDetail } from '@/api/types';
import { mayAnswer, whoMayAnswer } from './rules';

function asked(change: Partial<ApprovalRow> = {}): ApprovalRow {
  const row = {
    approvers: [],
    escalatedTo: [],
    votes: [],
    minApprovals: 1,
    preventSelfApproval: false,
    startedBy: 'carol',
  };
  return { ...row, ...change } as unknown as ApprovalRow;
}

const ALICE = { name: 'alice', roles: ['oncall'], permissions: ['automation:view'] } as unknown as SessionDetail;
const OPERATOR = { name: 'bob', roles: ['operator'], permissions: ['automation:execute'] } as unknown as SessionDetail;

test('without approvers whoever may execute decides, and nobody else', () => {
  expect(mayAnswer(asked(), OPERATOR)).toBeNull();
  expect(mayAnswer(asked(), ALICE)).toContain('automation:execute');
});

test('approvers are people and roles, and need no permission', () => {
  expect(mayAnswer(asked({ approvers: ['alice'] }), ALICE)).toBeNull();
  expect(mayAnswer(asked({ approvers: ['role:oncall'] }), ALICE)).toBeNull();
  expect(mayAnswer(asked({ approvers: ['role:dba'] }), OPERATOR)).toBe('This is for role dba to decide.');
});

test('whom it was escalated to may answer too', () => {
  expect(mayAnswer(asked({ approvers: ['dave'], escalatedTo: ['role:oncall'] }), ALICE)).toBeNull();
});

test('nobody decides twice, and not on what they started themselves if that is excluded', () => {
  const voted = asked({ votes: [{ by: 'bob', at: '', note: '', via: '' }], minApprovals: 3 });
  expect(mayAnswer(voted, OPERATOR)).toBe('You have approved. 2 more have to.');
  expect(mayAnswer(asked({ preventSelfApproval: true, startedBy: 'bob' }), OPERATOR)).toContain('somebody else');
});

test('who may answer is said as people would say it', () => {
  expect(whoMayAnswer(asked())).toBe('anyone who may execute');
  expect(whoMayAnswer(asked({ approvers: ['alice', 'bob', 'role:oncall'] }))).toBe('alice, bob or role oncall');
});
