import { Skeleton } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ApprovalDetail, NodeRow } from '@/api/types';
import { TriggerText } from '@/executions/TriggerText';
import { NODE } from '@/theme/status';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { StatusBadge } from '@/ui/StatusBadge';
import classes from './Context.module.css';

/** What started the execution, with what, and what its nodes have found so far. */
export function Context({ query }: { query: UseQueryResult<ApprovalDetail> }) {
  if (query.isPending) return <Skeleton height={64} />;
  if (query.isError) return <ProblemAlert error={query.error} onRetry={() => query.refetch()} />;
  const { trigger, variables, nodes } = query.data.context;
  return (
    <dl className={classes.context}>
      <dt>Trigger</dt>
      <dd>
        <TriggerText trigger={trigger} />
        {trigger.payload != null && <Value value={trigger.payload} />}
      </dd>
      {hasContent(variables) && (
        <>
          <dt>Variables</dt>
          <dd>
            <Value value={variables} />
          </dd>
        </>
      )}
      {nodes.map((node) => (
        <Result key={node.nodeId} node={node} />
      ))}
    </dl>
  );
}

function Result({ node }: { node: NodeRow }) {
  return (
    <>
      <dt>{node.name}</dt>
      <dd>
        <StatusBadge look={NODE[node.status]} bare />
        {hasContent(node.output) && <Value value={node.output} />}
      </dd>
    </>
  );
}

/** Whether a field is worth a line for somebody who is to decide: an empty text and that all went well are not. */
function saysSomething([name, value]: [string, unknown]): boolean {
  return value !== '' && !(name === 'truncated' && value === false) && !(name === 'exitCode' && value === 0);
}

function hasContent(value: unknown): boolean {
  return value !== null && value !== undefined && (typeof value !== 'object' || Object.keys(value).length > 0);
}

/** One line for each field of an object; long texts scroll in place. */
function Value({ value }: { value: unknown }) {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return (
      <div className={classes.fields}>
        {Object.entries(value)
          .filter(saysSomething)
          .map(([name, each]) => (
            <div key={name} className={classes.field}>
              <span className={classes.name}>{name}</span>
              <Text value={each} />
            </div>
          ))}
      </div>
    );
  }
  return <Text value={value} />;
}

/** Lists of names and numbers in one line. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const isPlain = Array.isArray(value) && value.every((each) => typeof each !== 'object' || each === null);
  return isPlain ? value.map((each) => String(each)).join(', ') : JSON.stringify(value, null, 2);
}

function Text({ value }: { value: unknown }) {
  const text = textOf(value);
  const hasLines = text.includes('\n');
  return (
    <pre
      className={classes.text}
      data-columns={hasLines && /\S(?: {3,}|\t)\S/.test(text)}
      tabIndex={hasLines ? 0 : undefined}
    >
      {text === '' ? '(empty)' : text}
    </pre>
  );
}
