import type { ApprovalRow } from '@/api/types';

export type Action =
  | { type: 'page'; rows: readonly ApprovalRow[] }
  | { type: 'row'; row: ApprovalRow }
  | { type: 'gone'; approvalId: string };

/** What waits for me, oldest first; null until it is known. Ids are in the order of time. */
export function reduceInbox(inbox: readonly ApprovalRow[] | null, action: Action): readonly ApprovalRow[] | null {
  switch (action.type) {
    case 'page':
      return action.rows;
    case 'row': {
      const others = (inbox ?? []).filter((each) => each.approvalId !== action.row.approvalId);
      const after = others.findIndex((each) => each.approvalId > action.row.approvalId);
      return others.toSpliced(after < 0 ? others.length : after, 0, action.row);
    }
    case 'gone':
      return inbox?.filter((each) => each.approvalId !== action.approvalId) ?? null;
  }
}
