import { ActionIcon, Button, Menu, Skeleton, Text, Title } from '@mantine/core';
import { IconDotsVertical, IconPlus } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, take } from '@/api/client';
import { useMay } from '@/api/session';
import type { WebhookRow, WorkflowDetail } from '@/api/types';
import { confirm } from '@/ui/confirm';
import { Instant } from '@/ui/Instant';
import { Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { ReasonedButton } from '@/ui/ReasonedButton';
import { failed, said } from '@/ui/toast';
import { workflowKey } from '../queries';
import { NewWebhook } from './NewWebhook';
import { RotateSecret } from './RotateSecret';
import { SecretShown, type Shown } from './SecretShown';
import classes from './Triggers.module.css';

const SENDERS: Record<WebhookRow['preset'], string> = {
  generic: 'own programs',
  github: 'GitHub',
  alertmanager: 'Alertmanager',
};
const PROOFS: Record<WebhookRow['auth'], string> = { bearer: 'shows the secret', hmac: 'signs with the secret' };

/** `running`: ids of the webhook triggers of the version that runs. */
export function Webhooks({ workflow, running }: { workflow: WorkflowDetail; running: readonly string[] }) {
  const mayManage = useMay('automation:manage');
  const [making, setMaking] = useState(false);
  const [shown, setShown] = useState<Shown | null>(null);
  return (
    <Panel className={classes.section}>
      <div className={classes.head}>
        <Title order={2}>Webhooks</Title>
        {mayManage && (
          <ReasonedButton
            variant="default"
            size="compact-sm"
            leftSection={<IconPlus size={14} aria-hidden />}
            reason={
              workflow.archived
                ? 'It is archived; nothing can start it.'
                : running.length === 0
                  ? 'The version that runs has no trigger of the type webhook.'
                  : null
            }
            onClick={() => setMaking(true)}
          >
            New webhook
          </ReasonedButton>
        )}
      </div>
      {!mayManage ? (
        <Text size="sm" c="dimmed">
          {running.length === 0 ? (
            'None in the version that runs.'
          ) : (
            <>
              Triggers: <code>{running.join(', ')}</code>. Their addresses are seen by those who may manage workflows.
            </>
          )}
        </Text>
      ) : (
        <Hooks workflow={workflow} running={running} onSecret={setShown} />
      )}
      {making && (
        <NewWebhook
          workflow={workflow}
          ids={running}
          onClose={() => setMaking(false)}
          onMade={(made) => {
            setMaking(false);
            setShown({ hook: made, url: made.url, key: made.key, secret: made.secret });
          }}
        />
      )}
      {shown && <SecretShown shown={shown} onClose={() => setShown(null)} />}
    </Panel>
  );
}

function Hooks({
  workflow,
  running,
  onSecret,
}: {
  workflow: WorkflowDetail;
  running: readonly string[];
  onSecret: (shown: Shown) => void;
}) {
  const { workflowId } = workflow;
  const list = useQuery({
    queryKey: [...workflowKey(workflowId), 'webhooks'],
    queryFn: ({ signal }) =>
      take(
        api.GET('/api/v1/workflows/{workflowId}/webhooks', {
          params: { path: { workflowId }, query: { limit: 200 } },
          signal,
        }),
      ),
  });
  if (list.isError) return <ProblemAlert error={list.error} onRetry={() => list.refetch()} />;
  if (list.isPending) return <Skeleton height={48} />;
  if (list.data.items.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {running.length === 0
          ? 'None. A trigger of the type webhook in the document gives it a name; then an address and a secret are made here.'
          : 'No address yet. Make one for each sender, so that one can be closed without the others.'}
      </Text>
    );
  }
  return list.data.items.map((each) => (
    <Hook key={each.hookId} hook={each} known={running.includes(each.webhookId)} onSecret={onSecret} />
  ));
}

function Hook({ hook, known, onSecret }: { hook: WebhookRow; known: boolean; onSecret: (shown: Shown) => void }) {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [rotating, setRotating] = useState(false);
  const params = { path: { workflowId: hook.workflowId, hookId: hook.hookId } };
  const name = hook.description || `${hook.webhookId} ${hook.keyBegins}…`;
  const act = async (send: () => Promise<unknown>, done: string) => {
    setBusy(true);
    try {
      await send();
      said(done);
    } catch (error) {
      failed(`${name} was not changed`, error);
    } finally {
      await client.invalidateQueries({ queryKey: [...workflowKey(hook.workflowId), 'webhooks'] });
      setBusy(false);
    }
  };
  const remove = async () => {
    const sure = await confirm({
      title: 'Delete the webhook',
      body: `${name} is closed for good: whoever sends to it gets 404. To close it for a while, disable it.`,
      action: 'Delete',
      dangerous: true,
    });
    if (!sure) return;
    await act(
      () => take(api.DELETE('/api/v1/workflows/{workflowId}/webhooks/{hookId}', { params })),
      `${name} is deleted`,
    );
  };
  return (
    <div className={classes.item}>
      <div className={classes.what}>
        <span className={classes.title}>
          <code>{hook.webhookId}</code>
          {hook.description && ` ${hook.description}`}
        </span>{' '}
        <span className={hook.enabled && known ? classes.soft : classes.remark}>
          {!hook.enabled
            ? 'disabled: senders get 404'
            : known
              ? `/api/v1/webhooks/${hook.keyBegins}…`
              : 'the version that runs has no such trigger: senders get 404'}
        </span>
        <div className={classes.facts}>
          <span>
            for {SENDERS[hook.preset]}, {PROOFS[hook.auth]}
            {hook.maxAgeSeconds !== null && ` not longer than ${hook.maxAgeSeconds} s ago`}
          </span>
          <span>
            made by {hook.createdBy}, <Instant at={hook.createdAt} />
          </span>
          {hook.rotatedAt && (
            <span>
              new secret <Instant at={hook.rotatedAt} />
            </span>
          )}
          {hook.oldSecretUntil && (
            <span className={classes.remark}>
              the old secret is taken until <Instant at={hook.oldSecretUntil} />
            </span>
          )}
        </div>
      </div>
      <Button variant="default" size="compact-sm" loading={busy} onClick={() => setRotating(true)}>
        New secret
      </Button>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`More about ${name}`}>
            <IconDotsVertical size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {hook.enabled ? (
            <Menu.Item
              onClick={() =>
                void act(
                  () => take(api.POST('/api/v1/workflows/{workflowId}/webhooks/{hookId}/disable', { params })),
                  `${name} is disabled`,
                )
              }
            >
              Disable
            </Menu.Item>
          ) : (
            <Menu.Item
              onClick={() =>
                void act(
                  () => take(api.POST('/api/v1/workflows/{workflowId}/webhooks/{hookId}/enable', { params })),
                  `${name} is enabled`,
                )
              }
            >
              Enable
            </Menu.Item>
          )}
          <Menu.Item color="red" onClick={() => void remove()}>
            Delete …
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {rotating && (
        <RotateSecret
          hook={hook}
          name={name}
          onClose={() => setRotating(false)}
          onMade={(made) => {
            setRotating(false);
            onSecret({ hook: made, url: null, key: null, secret: made.secret });
          }}
        />
      )}
    </div>
  );
}
