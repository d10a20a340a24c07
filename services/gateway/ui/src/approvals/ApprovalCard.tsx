/** One approval: what is asked, of whom, what to know before deciding (R23), and the decision with its note. */
import { Button, Group, Text, Textarea, UnstyledButton } from '@mantine/core';
import { IconCheck, IconChevronDown, IconChevronRight, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useId, useRef, useState } from 'react';
import { Link } from 'react-router';
import { api, newKey, take } from '@/api/client';
import { problemOf } from '@/api/problem';
import { useSession } from '@/api/session';
import type { ApprovalRow } from '@/api/types';
import { APPROVAL } from '@/theme/status';
import { Distance, Instant } from '@/ui/Instant';
import { StatusBadge } from '@/ui/StatusBadge';
import { failed, said } from '@/ui/toast';
import classes from './ApprovalCard.module.css';
import { Context } from './Context';
import { mayAnswer, whoMayAnswer } from './rules';

interface Props {
  approval: ApprovalRow;
  /** Where it is shown among others of other executions. */
  inInbox?: boolean;
  /** Told once a decision of this page was taken. */
  onAnswered?: (approval: ApprovalRow, status: ApprovalRow['status']) => void;
}

export function ApprovalCard({ approval, inInbox = false, onAnswered }: Props) {
  const titleId = useId();
  const pending = approval.status === 'pending';
  const [open, setOpen] = useState(pending);
  return (
    <article className={classes.card} aria-labelledby={titleId} data-status={approval.status}>
      <header className={classes.head}>
        <div className={classes.title}>
          <h2 id={titleId} className={classes.name}>
            {approval.nodeName}
            {approval.item !== null && <span className={classes.item}> {approval.item}</span>}
          </h2>
          {inInbox && (
            <Text size="sm" c="dimmed">
              in{' '}
              <Link to={`/automation/executions/${approval.executionId}`} className={classes.workflow}>
                {approval.workflowName}
              </Link>
              , started by {approval.startedBy}
            </Text>
          )}
        </div>
        <StatusBadge look={APPROVAL[approval.status]} />
      </header>
      <div className={classes.body}>
        <div>
          <p className={classes.message}>{approval.message || 'No message was written for this approval.'}</p>
          <Facts approval={approval} />
          {/* above or beside what is still being read, so that the buttons do not move away from under a click */}
          {pending && <Decision approval={approval} onAnswered={onAnswered} />}
        </div>
        <div className={classes.known}>
          <UnstyledButton className={classes.fold} aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? <IconChevronDown size={15} aria-hidden /> : <IconChevronRight size={15} aria-hidden />}
            What led to this
          </UnstyledButton>
          {open && <Known approvalId={approval.approvalId} />}
        </div>
      </div>
    </article>
  );
}

function Facts({ approval }: { approval: ApprovalRow }) {
  return (
    <dl className={classes.facts}>
      <dt>Asked</dt>
      <dd>
        <Distance at={approval.requestedAt} />
      </dd>
      <dt>May answer</dt>
      <dd>{whoMayAnswer(approval)}</dd>
      {approval.status === 'pending' && (
        <>
          <dt>Expires</dt>
          <dd>{approval.expiresAt === null ? 'never' : <Distance at={approval.expiresAt} />}</dd>
        </>
      )}
      {(approval.minApprovals > 1 || approval.votes.length > 0) && (
        <>
          <dt>Approvals</dt>
          <dd>
            {approval.votes.length + (approval.status === 'approved' ? 1 : 0)} of {approval.minApprovals}
            {approval.votes.map((vote) => (
              <span key={vote.by} className={classes.vote}>
                {vote.by}
                {vote.note && <>: “{vote.note}”</>}
              </span>
            ))}
          </dd>
        </>
      )}
      {approval.respondedAt !== null && (
        <>
          <dt>Decided</dt>
          <dd>
            <Instant at={approval.respondedAt} /> by {approval.respondedBy ?? 'nobody'}
            {approval.respondedVia && ` (${approval.respondedVia})`}
            {approval.responseNote && <span className={classes.vote}>“{approval.responseNote}”</span>}
          </dd>
        </>
      )}
      {approval.notifications
        .filter((each) => each.error)
        .map((each) => (
          <div key={`${each.channel} ${each.purpose} ${each.at}`} className={classes.warning}>
            {each.channel} could not be told: {each.error}
          </div>
        ))}
    </dl>
  );
}

function Known({ approvalId }: { approvalId: string }) {
  const detail = useQuery({
    queryKey: ['approval', approvalId],
    staleTime: 60_000,
    queryFn: ({ signal }) =>
      take(api.GET('/api/v1/approvals/{approvalId}', { params: { path: { approvalId } }, signal })),
  });
  return <Context query={detail} />;
}

type Choice = 'approve' | 'reject';

function Decision({ approval, onAnswered }: Pick<Props, 'approval' | 'onAnswered'>) {
  const session = useSession();
  const [note, setNote] = useState('');
  const [sending, setSending] = useState<Choice | null>(null);
  // A decision that nobody knows the fate of is sent again under the same key, so that it counts once.
  const key = useRef({ choice: '', value: '' });
  const refusal = mayAnswer(approval, session);
  if (refusal !== null) {
    return (
      <Text size="sm" c="dimmed" mt="sm">
        {refusal}
      </Text>
    );
  }
  const answer = async (choice: Choice) => {
    setSending(choice);
    const wanted = `${choice} ${note}`;
    if (key.current.choice !== wanted) key.current = { choice: wanted, value: newKey() };
    try {
      const answered = await take(
        api.POST(`/api/v1/approvals/{approvalId}/${choice}`, {
          params: { path: { approvalId: approval.approvalId }, header: { 'Idempotency-Key': key.current.value } },
          body: { note },
        }),
      );
      said(
        answered.status === 'pending'
          ? `Your approval counts: ${answered.approvals} of ${answered.minApprovals}`
          : `${answered.status === 'approved' ? 'Approved' : 'Rejected'}: ${approval.nodeName}`,
      );
      onAnswered?.(approval, answered.status);
    } catch (error) {
      const problem = problemOf(error);
      if (problem.code === 'already_resolved') {
        failed(`Already ${String(problem.extra.decision)}`, error);
        onAnswered?.(approval, problem.extra.decision as ApprovalRow['status']);
      } else {
        failed(choice === 'approve' ? 'Not approved' : 'Not rejected', error);
      }
    } finally {
      setSending(null);
    }
  };
  return (
    <form className={classes.decision} onSubmit={(event) => event.preventDefault()}>
      <Textarea
        label="Note"
        description="Stands in the log, and later nodes can use it"
        autosize
        minRows={1}
        maxRows={8}
        maxLength={10_000}
        value={note}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
      <Group gap="sm">
        <Button
          className={classes.approve}
          leftSection={<IconCheck size={16} aria-hidden />}
          loading={sending === 'approve'}
          disabled={sending !== null}
          onClick={() => answer('approve')}
        >
          Approve
        </Button>
        <Button
          className={classes.reject}
          variant="outline"
          leftSection={<IconX size={16} aria-hidden />}
          loading={sending === 'reject'}
          disabled={sending !== null}
          onClick={() => answer('reject')}
        >
          Reject
        </Button>
      </Group>
    </form>
  );
}
