/** A new notification channel, or another URL or name of one. The URL holds its secrets, and is never shown again. */
import { Checkbox, Group, PasswordInput, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api, take } from '@/api/client';
import type { ChannelRow } from '@/api/types';
import { said } from '@/ui/toast';
import { FormDialog, problemAt } from '../FormDialog';
import { useSend } from '../useSend';
import { CHANNELS } from './queries';
import {
  type ChannelKind,
  type Made,
  type Mail,
  mailUrl,
  NO_MAIL,
  otherUrl,
  slackUrl,
  teamsUrl,
  webhookUrl,
} from './url';

const KINDS: { value: ChannelKind; label: string }[] = [
  { value: 'email', label: 'E-mail' },
  { value: 'slack', label: 'Slack' },
  { value: 'teams', label: 'Teams' },
  { value: 'webhook', label: 'Webhook' },
  { value: 'other', label: 'Other' },
];

interface UrlForm {
  label: string;
  placeholder: string;
  about: string;
  make: (text: string) => Made;
}

const FORMS: Record<Exclude<ChannelKind, 'email'>, UrlForm> = {
  slack: {
    label: 'Webhook of Slack',
    placeholder: 'https://hooks.slack.com/services/T…/B…/…',
    about: 'In Slack: Apps › Incoming Webhooks › Add to Slack, choose the channel, copy the webhook URL.',
    make: slackUrl,
  },
  teams: {
    label: 'Workflow of Teams',
    placeholder: 'https://….logic.azure.com:443/workflows/…',
    about: 'In Teams: Workflows › “Post to a channel when a webhook request is received”, then copy its address.',
    make: teamsUrl,
  },
  webhook: {
    label: 'Address',
    placeholder: 'https://hooks.example.com/runyard',
    about:
      'It gets a POST with JSON: title, message and type. User and password, if it asks for them, stand before the host.',
    make: webhookUrl,
  },
  other: {
    label: 'URL',
    placeholder: 'telegram://bottoken/chatid',
    about: 'Any of the services at appriseit.com/services, in the form that is described there.',
    make: otherUrl,
  },
};

export function ChannelDialog({ channel, onClose }: { channel: ChannelRow | null; onClose: () => void }) {
  const [name, setName] = useState(channel?.name ?? '');
  const [kind, setKind] = useState<ChannelKind>('email');
  const [text, setText] = useState('');
  const [mail, setMail] = useState<Mail>(NO_MAIL);
  const [again, setAgain] = useState(channel === null);
  const made = kind === 'email' ? mailUrl(mail) : FORMS[kind].make(text);
  const entered = kind === 'email' ? mail.server !== '' && mail.from !== '' && mail.to !== '' : text !== '';
  const url = again && 'url' in made ? made.url : null;
  const save = useSend({
    send: async (sent: { name: string; url: string | null }, header) => {
      if (channel === null) {
        const body = { name: sent.name, url: sent.url ?? '', enabled: true };
        return take(api.POST('/api/v1/notification-channels', { params: { header }, body }));
      }
      const path = { channelId: channel.channelId };
      const body = { ...sent, enabled: channel.enabled };
      return take(api.PUT('/api/v1/notification-channels/{channelId}', { params: { path, header }, body }));
    },
    changes: CHANNELS,
    done: (saved) => {
      said(`${saved.name} is saved. Send a test message to see whether it arrives.`);
      onClose();
    },
  });
  return (
    <FormDialog
      title={channel === null ? 'New channel' : `The channel ${channel.name}`}
      action={channel === null ? 'Create' : 'Save'}
      busy={save.isPending}
      ready={name.trim() !== '' && (!again || url !== null)}
      error={save.error}
      onSubmit={() => save.mutate({ name: name.trim(), url })}
      onClose={onClose}
    >
      <TextInput
        label="Name"
        description="Workflows name the channel by it. No spaces, colons or slashes."
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        error={problemAt(save.error, 'name')}
        required
        maxLength={200}
        autoComplete="off"
        spellCheck={false}
        data-autofocus
      />
      {channel !== null && (
        <Checkbox
          label="Send to another address"
          description="The one it has is never shown again, and stays unless this is chosen."
          checked={again}
          onChange={(event) => setAgain(event.currentTarget.checked)}
        />
      )}
      {again && (
        <>
          <div>
            <Text size="sm" fw={500} id="channel-kind" mb={4}>
              Kind
            </Text>
            <SegmentedControl
              aria-labelledby="channel-kind"
              data={KINDS}
              value={kind}
              onChange={(value) => setKind(value as ChannelKind)}
              fullWidth
              size="xs"
            />
          </div>
          {kind === 'email' ? (
            <MailFields mail={mail} onChange={setMail} />
          ) : (
            <PasswordInput
              label={FORMS[kind].label}
              description={FORMS[kind].about}
              placeholder={FORMS[kind].placeholder}
              value={text}
              onChange={(event) => setText(event.currentTarget.value)}
              error={problemAt(save.error, 'url') ?? (entered && 'problem' in made ? made.problem : undefined)}
              required
              autoComplete="off"
              visibilityToggleButtonProps={{ 'aria-label': 'Show it', tabIndex: 0 }}
            />
          )}
          {kind === 'email' && entered && 'problem' in made && (
            <Text size="sm" c="red" role="alert">
              {made.problem}
            </Text>
          )}
        </>
      )}
    </FormDialog>
  );
}

function MailFields({ mail, onChange }: { mail: Mail; onChange: (mail: Mail) => void }) {
  const text = (field: Exclude<keyof Mail, 'encrypted'>) => ({
    value: mail[field],
    onChange: (event: { currentTarget: { value: string } }) =>
      onChange({ ...mail, [field]: event.currentTarget.value }),
    autoComplete: 'off',
    spellCheck: false,
  });
  return (
    <Stack gap="sm">
      <Group grow preventGrowOverflow={false} align="flex-start">
        <TextInput label="Mail server" placeholder="mail.example.com" required {...text('server')} flex="1 1 200px" />
        <TextInput label="Port" placeholder="587" inputMode="numeric" {...text('port')} flex="0 1 90px" />
      </Group>
      <Checkbox
        label="Encrypted (STARTTLS)"
        checked={mail.encrypted}
        onChange={(event) => onChange({ ...mail, encrypted: event.currentTarget.checked })}
      />
      <Group grow align="flex-start">
        <TextInput label="User" {...text('user')} />
        <PasswordInput
          label="Password"
          {...text('password')}
          autoComplete="new-password"
          visibilityToggleButtonProps={{ 'aria-label': 'Show the password', tabIndex: 0 }}
        />
      </Group>
      <TextInput label="From" placeholder="runyard@example.com" required {...text('from')} />
      <TextInput
        label="To"
        description="Several with commas between."
        placeholder="oncall@example.com"
        required
        {...text('to')}
      />
    </Stack>
  );
}
