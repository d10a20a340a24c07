import { Badge, Button, Group } from '@mantine/core';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import type { AgentRow } from '@/api/types';
import { AGENT } from '@/theme/status';
import { Distance } from '@/ui/Instant';
import rows from '@/ui/RowTable.module.css';
import { StatusBadge } from '@/ui/StatusBadge';
import classes from './AgentTable.module.css';
import { healthTone } from './agents';
import { Load } from './Load';

const AT_ONCE = 200;

export function AgentTable({ agents }: { agents: readonly AgentRow[] }) {
  const [limit, setLimit] = useState(AT_ONCE);
  return (
    <>
      <table className={rows.table}>
        <thead>
          <tr>
            <th>Agent</th>
            <th className={classes.status}>Status</th>
            <th className={classes.pool}>Pool</th>
            <th className={classes.load}>Jobs</th>
            <th className={classes.health}>Health</th>
            <th className={classes.heard}>Last heartbeat</th>
            <th className={classes.version}>Version</th>
          </tr>
        </thead>
        <tbody>
          {agents.slice(0, limit).map((each) => (
            <Row key={each.agentId} agent={each} />
          ))}
        </tbody>
      </table>
      {agents.length > limit && (
        <Group justify="center" p="sm">
          <Button variant="default" onClick={() => setLimit(limit + AT_ONCE)}>
            Show {Math.min(AT_ONCE, agents.length - limit)} more of {agents.length.toLocaleString()}
          </Button>
        </Group>
      )}
    </>
  );
}

function Row({ agent }: { agent: AgentRow }) {
  const [params] = useSearchParams();
  const open = new URLSearchParams(params);
  open.set('agent', agent.agentId);
  const online = agent.status === 'online' || agent.status === 'draining';
  return (
    <tr className={rows.row}>
      <td>
        <Link to={`?${open}`} className={rows.link}>
          {agent.name}
        </Link>
        <span className={classes.tags}>
          {agent.tags.map((tag) => (
            <Badge key={tag} variant="default" size="xs" tt="none" fw={500}>
              {tag}
            </Badge>
          ))}
        </span>
      </td>
      <td className={classes.status}>
        <StatusBadge look={AGENT[agent.status]} />
        {/* kept, so that nothing moves when an agent goes */}
        <span className={`${rows.soft} ${classes.reason}`} title={agent.reason ?? undefined}>
          {agent.reason ?? (agent.drained && agent.status !== 'draining' ? 'drained' : ' ')}
        </span>
      </td>
      <td className={classes.pool}>{agent.pool}</td>
      <td className={classes.load}>
        <Load running={agent.running} capacity={agent.capacity} />
      </td>
      <td className={classes.health}>
        {online ? (
          <span className="numbers" style={{ color: `var(--ry-${healthTone(agent.health)})`, fontWeight: 600 }}>
            {agent.health}
          </span>
        ) : (
          '–'
        )}
      </td>
      <td className={classes.heard}>
        {agent.lastHeartbeatAt === null ? 'never' : <Distance at={agent.lastHeartbeatAt} />}
      </td>
      <td className={classes.version}>
        {agent.version || '–'}
        {agent.transport !== null && <span className={rows.soft}>{agent.transport}</span>}
      </td>
    </tr>
  );
}
