/** Who may answer an approval (R22, R28), in words. The service decides; this says it beforehand. */
import type { ApprovalRow, SessionDetail } from '@/api/types';

const ROLE = 'role:';

function name(approver: string): string {
  return approver.startsWith(ROLE) ? `role ${approver.slice(ROLE.length)}` : approver;
}

function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

export function whoMayAnswer(approval: ApprovalRow): string {
  const all = [...approval.approvers, ...approval.escalatedTo];
  const who = all.length === 0 ? 'anyone who may execute' : listed(all.map(name));
  const escalated = approval.escalatedTo.length > 0 ? ' (escalated)' : '';
  const not = approval.preventSelfApproval ? `, but not ${approval.startedBy}, who started it` : '';
  return `${who}${escalated}${not}`;
}

/** null: they may; else why they may not. */
export function mayAnswer(approval: ApprovalRow, me: SessionDetail): string | null {
  if (approval.preventSelfApproval && approval.startedBy === me.name) {
    return 'You started this execution, so somebody else has to decide.';
  }
  if (approval.votes.some((vote) => vote.by === me.name)) {
    return `You have approved. ${approval.minApprovals - approval.votes.length} more have to.`;
  }
  const all = [...approval.approvers, ...approval.escalatedTo];
  if (all.length === 0) {
    return me.permissions.includes('automation:execute')
      ? null
      : 'You need the permission automation:execute to decide.';
  }
  if (all.includes(me.name) || me.roles.some((role) => all.includes(`${ROLE}${role}`))) return null;
  return `This is for ${whoMayAnswer(approval)} to decide.`;
}
