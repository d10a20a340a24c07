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

/** `short`: the kind alone, as its icon, for little room. */
export function TriggerText({ trigger, short = false }: { trigger: Trigger; short?: boolean }) {
  const Icon = ICONS[trigger.type] ?? IconUser;
  const kind = KINDS[trigger.type] ?? trigger.type;
  const words = triggerWords(trigger);
  if (short)
    return (
      <span className={classes.trigger} title={`${kind}: ${words}`}>
        <Icon size={15} stroke={1.8} aria-hidden className={classes.icon} />
        <span className="visually-hidden">
          {kind} {words}
        </span>
      </span>
    );
  return (
    <span className={classes.trigger}>
      <Icon size={15} stroke={1.8} aria-hidden className={classes.icon} />
      <span className={classes.kind}>{kind}</span>
      <span className={classes.words} title={words}>
        {words}
      </span>
    </span>
  );
}
