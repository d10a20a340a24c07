/** What does not change about an execution, and its two figures that do: how long, and how many jobs (R9, R10, R12). */
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { EXECUTION } from '@/theme/status';
import { CopyButton } from '@/ui/CopyButton';
import { useNow } from '@/ui/clock';
import { Duration, Instant } from '@/ui/Instant';
import { StatusBadge } from '@/ui/StatusBadge';
import { durationText } from '@/ui/time';
import classes from './Facts.module.css';
import { useExecution, useReadAt } from './store';

export function Facts() {
  const detail = useExecution();
  const { trigger, jobCounts } = detail;
  return (
    <dl className={classes.facts}>
      <Fact name="Execution">
        <span className="mono" title={detail.executionId}>
          {shortId(detail.executionId)}
        </span>
        <CopyButton value={detail.executionId} what="the id of the execution" />
      </Fact>
      <Fact name="Workflow">
        <Link to={`/automation/workflows/${detail.workflowId}?version=${detail.version}`}>
          Version {detail.version}
        </Link>
        <Link to={`/automation/executions?workflowId=${detail.workflowId}`}>All executions</Link>
      </Fact>
      <Fact name="Started">
        <Instant at={detail.startedAt} />
      </Fact>
      <Fact name="Duration">
        <span className={classes.ticking} data-ticks={detail.finishedAt === null}>
          <Duration startedAt={detail.startedAt} finishedAt={detail.finishedAt} />
          <Paused />
        </span>
      </Fact>
      <Fact name="Jobs completed">
        <span className="numbers">
          {jobCounts.completed} of {jobCounts.total}
        </span>
      </Fact>
      <Fact name="Trigger">
        {trigger.type === 'manual' && <>by {trigger.user ?? detail.startedBy}</>}
        {trigger.type === 'webhook' && (
          <>
            webhook <b>{trigger.webhookId}</b>
          </>
        )}
        {trigger.type === 'cron' && (
          <>
            schedule, for <Instant at={trigger.scheduledAt} />
          </>
        )}
        {trigger.type === 'incident' && (
          <>
            <span>{trigger.event}</span>
            <b className="mono">{trigger.incidentId}</b>
            {trigger.incidentId && <CopyButton value={trigger.incidentId} what="the id of the incident" />}
          </>
        )}
        {!['manual', 'webhook', 'cron', 'incident'].includes(trigger.type) && trigger.type}
      </Fact>
      {detail.parentExecutionId !== null && (
        <Fact name="Subworkflow of">
          <ExecutionLink executionId={detail.parentExecutionId} />
        </Fact>
      )}
      {detail.rerunOf !== null && (
        <Fact name="Re-run of">
          <ExecutionLink executionId={detail.rerunOf} />
          {detail.fromNode !== null && (
            <span className={classes.soft}>from {nodeName(detail, detail.fromNode)} on</span>
          )}
        </Fact>
      )}
      {detail.reruns.length > 0 && (
        <Fact name={detail.reruns.length === 1 ? 'Re-run' : 'Re-runs'}>
          <Related rows={detail.reruns} />
        </Fact>
      )}
      {detail.children.length > 0 && (
        <Fact name={detail.children.length === 1 ? 'Subworkflow' : 'Subworkflows'}>
          <Related rows={detail.children} />
        </Fact>
      )}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className={classes.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Time spent waiting for people alone, if any. */
function Paused() {
  const { status, pausedMs } = useExecution();
  const readAt = useReadAt();
  const paused = status === 'paused';
  const now = useNow(paused);
  const ms = pausedMs + (paused ? Math.max(0, now - readAt) : 0);
  if (ms < 1000) return null;
  return <span className={`${classes.soft} numbers`}> · paused {durationText(ms)}</span>;
}

const SHOWN = 3;

function Related({
  rows,
}: {
  rows: readonly { executionId: string; status: keyof typeof EXECUTION; workflowName?: string }[];
}) {
  return (
    <>
      {rows.slice(-SHOWN).map((row) => (
        <span key={row.executionId}>
          <ExecutionLink executionId={row.executionId} name={row.workflowName} />{' '}
          <StatusBadge look={EXECUTION[row.status]} bare />
        </span>
      ))}
      {rows.length > SHOWN && <span className={classes.soft}>and {rows.length - SHOWN} before</span>}
    </>
  );
}

function ExecutionLink({ executionId, name }: { executionId: string; name?: string }) {
  return (
    <Link to={`/automation/executions/${executionId}`} title={executionId}>
      {name ?? <span className="mono">{shortId(executionId)}</span>}
    </Link>
  );
}

function nodeName(detail: { nodes: readonly { nodeId: string; name: string }[] }, nodeId: string): string {
  return detail.nodes.find((node) => node.nodeId === nodeId)?.name ?? nodeId;
}

/** The last digits are those that differ. */
export function shortId(id: string): string {
  return `…${id.slice(-8)}`;
}
