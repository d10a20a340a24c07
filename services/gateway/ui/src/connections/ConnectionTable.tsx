import { Link, useSearchParams } from 'react-router';
import type { ConnectionRow } from '@/api/types';
import { CONNECTION, TESTED } from '@/theme/status';
import { Distance } from '@/ui/Instant';
import rows from '@/ui/RowTable.module.css';
import { StatusBadge } from '@/ui/StatusBadge';
import classes from './ConnectionTable.module.css';
import { kindOf } from './kinds';

export function ConnectionTable({ connections }: { connections: readonly ConnectionRow[] }) {
  return (
    <table className={rows.table}>
      <thead>
        <tr>
          <th>Connection</th>
          <th className={classes.kind}>Kind</th>
          <th className={classes.pools}>Pools</th>
          <th className={classes.status}>Status</th>
          <th className={classes.test}>Last test</th>
        </tr>
      </thead>
      <tbody>
        {connections.map((each) => (
          <Row key={each.connectionId} row={each} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ row }: { row: ConnectionRow }) {
  const [params] = useSearchParams();
  const open = new URLSearchParams(params);
  open.set('connection', row.connectionId);
  const { icon: Icon, label } = kindOf(row.kind);
  return (
    <tr className={rows.row}>
      <td>
        <Link to={`?${open}`} className={rows.link}>
          {row.name}
        </Link>
        {row.description && <span className={rows.soft}>{row.description}</span>}
      </td>
      <td className={classes.kind}>
        <span className={classes.with}>
          <Icon size={16} stroke={1.8} aria-hidden />
          {label}
        </span>
      </td>
      <td className={classes.pools}>{row.pools.length === 0 ? 'all' : row.pools.join(', ')}</td>
      <td className={classes.status}>
        <StatusBadge look={CONNECTION[row.enabled ? 'enabled' : 'disabled']} />
      </td>
      <td className={classes.test}>
        <StatusBadge look={TESTED[row.tested === null ? 'untested' : row.tested.ok ? 'works' : 'fails']} bare />
        {row.tested && (
          <span className={rows.soft} title={row.tested.message}>
            <Distance at={row.tested.at} /> by {row.tested.agent}
            {!row.tested.ok && <span className={classes.message}>{row.tested.message}</span>}
          </span>
        )}
      </td>
    </tr>
  );
}
