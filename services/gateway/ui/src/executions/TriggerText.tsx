import { IconBellRinging, IconClock, IconUser, IconWebhook, type TablerIcon } from '@tabler/icons-react';
import type { Trigger } from '@/api/types';
import { instantText } from '@/ui/time';
import classes from './TriggerText.module.css';

const ICONS: Record<string, TablerIcon> = {
  manual: IconUser,
  webhook: IconWebhook,
  cron: IconClock,
  incident: IconBellRinging,
};

/** Who or what began it, in a few words. */
export function triggerWords(trigger: Trigger): string {
  switch (trigger.type) {
    case 'manual':
      return trigger.user ?? 'manual';
    case 'webhook':
      return trigger.webhookId ?? 'webhook';
    case 'cron':
      return trigger.scheduledAt ? instantText(trigger.scheduledAt) : 'schedule';
    default:
      return [trigger.event?.replace('incident.', ''), trigger.incidentId].filter(Boolean).join(' ') || trigger.type;
  }
}

const KINDS: Record<string, string> = { manual: 'Manual', webhook: 'Webhook', cron: 'Cron', incident: 'Incident' };

export function TriggerText({ trigger }: { trigger: Trigger }) {
  const Icon = ICONS[trigger.type] ?? IconUser;
  return (
    <span className={classes.trigger}>
      <Icon size={15} stroke={1.8} aria-hidden className={classes.icon} />
      <span className={classes.kind}>{KINDS[trigger.type] ?? trigger.type}</span>
      <span className={classes.words} title={triggerWords(trigger)}>
        {triggerWords(trigger)}
      </span>
    </span>
  );
}
