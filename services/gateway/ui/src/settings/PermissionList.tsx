import type { Permission } from '@/api/types';
import classes from './PermissionList.module.css';
import { inOrder, PERMISSIONS } from './permissions';

/** Permissions as words; nothing at all is said too. */
export function PermissionList({ permissions }: { permissions: readonly Permission[] }) {
  if (permissions.length === 0) return <span className={classes.none}>Nothing</span>;
  return (
    <span className={classes.list}>
      {inOrder(permissions).map((each) => (
        <span key={each} className={classes.one} title={PERMISSIONS[each].does}>
          {PERMISSIONS[each].short}
        </span>
      ))}
    </span>
  );
}
