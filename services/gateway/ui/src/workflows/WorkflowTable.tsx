import { ActionIcon, Menu, Switch, Tooltip } from '@mantine/core';
import { IconDotsVertical, IconPlayerPlay } from '@tabler/icons-react';
import { useEffect, useRef } from 'react';
import { Link } from 'react-router';
import { useMay } from '@/api/session';
import type { WorkflowRow } from '@/api/types';
import { Instant } from '@/ui/Instant';
import rowTable from '@/ui/RowTable.module.css';
import { StatusBadge } from '@/ui/StatusBadge';
import { LastRuns } from './LastRuns';
import { useCommands } from './queries';
import { lookOfWorkflow, versionWords, whyNotActivate, whyNotRun } from './state';
import { KINDS } from './triggers/kinds';
import classes from './WorkflowTable.module.css';

export function WorkflowTable({ rows, current }: { rows: readonly WorkflowRow[]; current: number }) {
  const marked = useRef<HTMLTableRowElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the marked row is another one
  useEffect(() => {
    marked.current?.scrollIntoView({ block: 'nearest' });
  }, [current]);
  return (
    <table className={`${rowTable.table} ${classes.table}`}>
      <thead>
        <tr>
          <th>Workflow</th>
          <th className={classes.state}>State</th>
          <th className={classes.last}>Last executions</th>
          <th className={classes.version}>Version</th>
          <th className={classes.triggers}>Triggers</th>
          <th className={classes.updated}>Draft saved</th>
          <th className={classes.actions}>
            <span className="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row, index) => (
          <tr
            key={row.workflowId}
            ref={index === current ? marked : undefined}
            className={`${rowTable.row} ${classes.row}`}
            data-current={index === current}
          >
            <td>
              <Link to={`/automation/workflows/${row.workflowId}`} className={rowTable.link}>
                {row.name}
              </Link>
              {row.draftDiffers && row.publishedVersion !== null && !row.archived && (
                <span className={classes.differs}>draft not published</span>
              )}
            </td>
            <td className={classes.state}>
              <StatusBadge look={lookOfWorkflow(row)} />
            </td>
            <td className={classes.last}>
              <LastRuns executions={row.lastExecutions} />
            </td>
            <td className={`${rowTable.numbers} ${classes.version}`}>{versionWords(row)}</td>
            <td className={classes.triggers}>
              <Kinds triggers={row.triggers} />
            </td>
            <td className={classes.updated}>
              <Instant at={row.draftedAt} /> by {row.draftedBy}
            </td>
            <td className={classes.actions}>
              <RowActions row={row} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Kinds({ triggers }: { triggers: readonly string[] }) {
  return (
    <span className={classes.kinds}>
      {triggers.map((type) => {
        const kind = KINDS[type];
        if (!kind) return null;
        return (
          <span key={type} className={classes.kind}>
            <kind.icon size={14} stroke={1.8} aria-hidden />
            {kind.label}
          </span>
        );
      })}
    </span>
  );
}

/** What one may not do at all is not there; what cannot be done now says why. */
function RowActions({ row }: { row: WorkflowRow }) {
  const mayExecute = useMay('automation:execute');
  const mayManage = useMay('automation:manage');
  const commands = useCommands(row);
  if (row.archived) return null;
  const noRun = whyNotRun(row);
  const noActivation = whyNotActivate(row);
  const address = `/automation/workflows/${row.workflowId}`;
  return (
    <div className={`${rowTable.buttons} ${classes.buttons}`}>
      {mayManage && (
        <Tooltip label={noActivation ?? (row.active ? 'Deactivate' : 'Activate')}>
          <Switch
            size="xs"
            aria-label={`${row.name} is active`}
            checked={row.active}
            disabled={noActivation !== null || commands.busy !== null}
            onChange={() => void (row.active ? commands.deactivate() : commands.activate())}
          />
        </Tooltip>
      )}
      {mayExecute &&
        (noRun === null ? (
          <Tooltip label="Run">
            <ActionIcon variant="default" component={Link} to={`${address}?run=1`} aria-label={`Run ${row.name}`}>
              <IconPlayerPlay size={15} />
            </ActionIcon>
          </Tooltip>
        ) : (
          <Tooltip label={noRun}>
            <ActionIcon
              variant="default"
              data-disabled
              aria-disabled
              aria-label={`Run ${row.name}: ${noRun}`}
              onClick={(event) => event.preventDefault()}
            >
              <IconPlayerPlay size={15} />
            </ActionIcon>
          </Tooltip>
        ))}
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`More about ${row.name}`}>
            <IconDotsVertical size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item component={Link} to={`/automation/executions?workflowId=${row.workflowId}`}>
            Executions
          </Menu.Item>
          <Menu.Item component={Link} to={`${address}?tab=versions`}>
            Versions
          </Menu.Item>
          <Menu.Item component={Link} to={`${address}?tab=triggers`}>
            Triggers
          </Menu.Item>
          {mayManage && (
            <Menu.Item component={Link} to={`${address}/edit`}>
              Edit
            </Menu.Item>
          )}
          <Menu.Item component="a" href={`/api/v1/workflows/${row.workflowId}/export`} download>
            Export the draft
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </div>
  );
}
