/** One parked message: why it is here, what is in it, what can be done with it. */
import { Drawer, Group, Skeleton, Stack, Text } from '@mantine/core';
import { problemOf } from '@/api/problem';
import type { ParkedMessageDetail } from '@/api/types';
import { PARKED } from '@/theme/status';
import { CopyButton } from '@/ui/CopyButton';
import { Instant } from '@/ui/Instant';
import { JsonTree } from '@/ui/JsonTree';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { ReasonedButton } from '@/ui/ReasonedButton';
import { StatusBadge } from '@/ui/StatusBadge';
import { Fact, Facts } from '../Facts';
import classes from './ParkedDrawer.module.css';
import { useParkedMessage } from './queries';
import { useParkedCommands } from './useParkedCommands';
import { kindOf, notRetryable, parsed, serviceOf, triedText } from './words';

export function ParkedDrawer({ messageId, onClose }: { messageId: string | null; onClose: () => void }) {
  return (
    <Drawer
      opened={messageId !== null}
      onClose={onClose}
      position="right"
      size="lg"
      title={<span className={classes.title}>Parked message</span>}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {messageId !== null && <Found key={messageId} messageId={messageId} />}
    </Drawer>
  );
}

function Found({ messageId }: { messageId: string }) {
  const message = useParkedMessage(messageId);
  if (message.isError) {
    return problemOf(message.error).status === 404 ? (
      <Text>There is no such message any more: what was done with one is told for 30 days.</Text>
    ) : (
      <ProblemAlert error={message.error} onRetry={() => message.refetch()} />
    );
  }
  if (message.isPending) {
    return (
      <Stack role="status" aria-label="Loading the message">
        <Skeleton height={24} />
        <Skeleton height={160} />
      </Stack>
    );
  }
  return <Detail message={message.data} />;
}

function Detail({ message }: { message: ParkedMessageDetail }) {
  const { busy, retry, drop } = useParkedCommands();
  const settled = message.status === 'waiting' ? null : notRetryable(message);
  return (
    <Stack gap="lg">
      <div>
        <h3 className={classes.kind}>{kindOf(message)}</h3>
        <Group gap={8}>
          <StatusBadge look={PARKED[message.status]} />
          {message.settledAt && (
            <Text size="sm" c="dimmed">
              <Instant at={message.settledAt} /> by {message.settledBy}
            </Text>
          )}
        </Group>
        <p className={classes.reason}>{message.reason}</p>
      </div>
      <Group gap={8}>
        <ReasonedButton
          size="compact-sm"
          variant="default"
          reason={notRetryable(message)}
          loading={busy === 'retry'}
          onClick={() => retry([message])}
        >
          Send again …
        </ReasonedButton>
        <ReasonedButton
          size="compact-sm"
          variant="default"
          c={settled === null ? 'var(--ry-red)' : undefined}
          reason={settled}
          loading={busy === 'drop'}
          onClick={() => drop([message])}
        >
          Drop …
        </ReasonedButton>
      </Group>
      {message.status === 'waiting' && !message.retryable && (
        <Text size="sm" c="dimmed">
          {notRetryable(message)}.
        </Text>
      )}
      <div className={classes.facts}>
        <Facts>
          <Fact name="Came for">
            {serviceOf(message.queue)} <code className={classes.small}>{message.queue}</code>
          </Fact>
          <Fact name="Tried">{triedText(message)}</Fact>
          <Fact name="Parked">
            <Instant at={message.parkedAt} />
            {message.times > 1 && (
              <>
                , first <Instant at={message.firstParkedAt} />
              </>
            )}
          </Fact>
          <Fact name="Tenant">
            {message.ofTenant === null ? (
              'It names none'
            ) : (
              <>
                {message.ofTenant} <span className={classes.soft}>as it says itself; nobody has checked it</span>
              </>
            )}
          </Fact>
          {message.sender !== null && (
            <Fact name="Sent by">
              Agent {message.sender} <span className={classes.soft}>is sent again only if that agent may say it</span>
            </Fact>
          )}
          <Fact name="Id">
            <Group gap={4} wrap="nowrap">
              <code className={classes.small}>{message.messageId}</code>
              <CopyButton value={message.messageId} what="the id" />
            </Group>
          </Fact>
        </Facts>
      </div>
      <Content message={message} />
    </Stack>
  );
}

function Content({ message: { status, body, size } }: { message: ParkedMessageDetail }) {
  const value = parsed(body);
  const shown = new TextEncoder().encode(body).length;
  return (
    <section>
      <h3 className={classes.heading}>The message</h3>
      {status !== 'waiting' ? (
        <Text size="sm" c="dimmed">
          Forgotten when it was {status === 'retried' ? 'sent again' : 'dropped'}.
        </Text>
      ) : value === undefined ? (
        <>
          <Group justify="space-between" mb={4}>
            <Text size="sm" c="dimmed">
              {shown < size
                ? `The first ${shown.toLocaleString()} of ${size.toLocaleString()} bytes`
                : 'As it came: it is no JSON'}
            </Text>
            <CopyButton value={body} what="the message" />
          </Group>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, by keys too */}
          <pre className={classes.body} tabIndex={0}>
            {body}
          </pre>
        </>
      ) : (
        <JsonTree name="message" value={value} open={3} />
      )}
    </section>
  );
}
