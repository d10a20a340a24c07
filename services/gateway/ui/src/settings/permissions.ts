/** What a permission lets one do, in words. */
import type { Permission } from '@/api/types';

export const PERMISSIONS: Record<Permission, { short: string; does: string }> = {
  'automation:view': { short: 'View', does: 'See workflows, executions, agents and analytics' },
  'automation:execute': { short: 'Execute', does: 'Start, cancel and re-run; answer approvals that name nobody' },
  'automation:manage': {
    short: 'Manage',
    does: 'Change workflows, connections, pools and notification channels; drain agents',
  },
  'automation:admin': { short: 'Administer', does: 'Users, roles, API keys, agents, retention, the audit log' },
  'automation:installation': { short: 'Installation', does: 'Tenants, and the read models of all of them' },
};

/** Those that a role or a key may have. */
export const TENANT_PERMISSIONS = [
  'automation:view',
  'automation:execute',
  'automation:manage',
  'automation:admin',
] as const satisfies readonly Permission[];

/** In their order, from seeing to administering. */
export function inOrder(permissions: readonly Permission[]): Permission[] {
  return (Object.keys(PERMISSIONS) as Permission[]).filter((each) => permissions.includes(each));
}
