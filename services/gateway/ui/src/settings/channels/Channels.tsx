/** Notification channels (R32): where approvers are told that something waits for them. */
import { Button, Group, Menu, Switch } from '@mantine/core';
import { IconBell, IconCircleCheck, IconCircleX, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { api, take } from '@/api/client';
import type { ChannelRow } from '@/api/types';
import { confirm } from '@/ui/confirm';
import { EmptyState } from '@/ui/EmptyState';
import { Instant } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { said } from '@/ui/toast';
import { RowMenu } from '../RowMenu';
import { Body, Rows, Section } from '../Section';
import { useSend } from '../useSend';
import { ChannelDialog } from './ChannelDialog';
import classes from './Channels.module.css';
import { CHANNELS, useChannels } from './queries';
import { kindText } from './url';

export function Channels() {
  const channels = useChannels();
  const [edited, setEdited] = useState<ChannelRow | 'new' | null>(null);
  return (
    <Section
      title="Notification channels"
      about="Where approvers are told that something waits for them. An approval without channels of its own tells all that are enabled; one that fails is tried again, and never holds anything up."
      actions={
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setEdited('new')}>
          New channel
        </Button>
      }
    >
      {channels.isError ? (
        <Body>
          <ProblemAlert error={channels.error} onRetry={() => channels.refetch()} />
        </Body>
      ) : channels.data?.length === 0 ? (
        <EmptyState icon={IconBell} title="Nobody is told yet">
          Approvals wait in the inbox and tell nobody. Make a channel: mail, Slack, Teams, a webhook or another service.
        </EmptyState>
      ) : (
        <Rows label="Notification channels" head={['Name', 'Kind', 'Enabled', 'Made', 'Test', '!Actions']}>
          {(channels.data ?? []).map((each) => (
            <Channel key={each.channelId} channel={each} onEdit={() => setEdited(each)} />
          ))}
        </Rows>
      )}
      {edited !== null && <ChannelDialog channel={edited === 'new' ? null : edited} onClose={() => setEdited(null)} />}
    </Section>
  );
}

function Channel({ channel, onEdit }: { channel: ChannelRow; onEdit: () => void }) {
  const path = { channelId: channel.channelId };
  const enable = useSend({
    send: (enabled: boolean, header) =>
      take(
        api.PUT('/api/v1/notification-channels/{channelId}', {
          params: { path, header },
          body: { name: channel.name, enabled },
        }),
      ),
    changes: CHANNELS,
    failure: () => `${channel.name} could not be changed`,
  });
  const test = useSend({
    send: (_: null, header) =>
      take(api.POST('/api/v1/notification-channels/{channelId}/test', { params: { path, header } })),
    changes: CHANNELS,
    failure: () => `${channel.name} could not be tested`,
  });
  const remove = useSend({
    send: (_: null, header) =>
      take(api.DELETE('/api/v1/notification-channels/{channelId}', { params: { path, header } })),
    changes: CHANNELS,
    done: () => said(`${channel.name} is deleted.`),
    failure: () => `${channel.name} could not be deleted`,
  });
  const ask = async () => {
    const sure = await confirm({
      title: `Delete the channel ${channel.name}?`,
      body: 'Approvals that name it tell nobody by it any more; their executions say so in their log.',
      action: 'Delete',
      dangerous: true,
    });
    if (sure) remove.mutate(null);
  };
  return (
    <tr>
      <td className={classes.name}>{channel.name}</td>
      <td>{kindText(channel.kind)}</td>
      <td>
        <Switch
          aria-label={`${channel.name} is enabled`}
          checked={enable.isPending ? enable.variables : channel.enabled}
          disabled={enable.isPending}
          onChange={(event) => enable.mutate(event.currentTarget.checked)}
        />
      </td>
      <td className={classes.time}>
        <Instant at={channel.createdAt} />
      </td>
      <td className={classes.test}>
        <Group gap="xs" wrap="nowrap" align="flex-start">
          <Button variant="default" size="compact-sm" loading={test.isPending} onClick={() => test.mutate(null)}>
            Send a test
            <span className="visually-hidden"> to {channel.name}</span>
          </Button>
          <span role="status" className={classes.result} data-delivered={test.data?.delivered}>
            {test.isPending
              ? 'Sending …'
              : test.data &&
                (test.data.delivered ? (
                  <>
                    <IconCircleCheck size={15} aria-hidden /> Delivered
                  </>
                ) : (
                  <>
                    <IconCircleX size={15} aria-hidden /> {test.data.error ?? 'Not delivered'}
                  </>
                ))}
          </span>
        </Group>
      </td>
      <td>
        <RowMenu label={`Actions for ${channel.name}`} busy={remove.isPending}>
          <Menu.Item onClick={onEdit}>Edit</Menu.Item>
          <Menu.Item color="red" onClick={ask}>
            Delete …
          </Menu.Item>
        </RowMenu>
      </td>
    </tr>
  );
}
