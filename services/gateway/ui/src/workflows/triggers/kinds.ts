/** The types of triggers in a document: their words and icons. */
import { IconBellRinging, IconClock, IconUser, IconWebhook, type TablerIcon } from '@tabler/icons-react';

export const KINDS: Record<string, { label: string; icon: TablerIcon }> = {
  manual: { label: 'Manual', icon: IconUser },
  schedule: { label: 'Schedule', icon: IconClock },
  webhook: { label: 'Webhook', icon: IconWebhook },
  incident: { label: 'Incident', icon: IconBellRinging },
};

export interface ScheduleTrigger {
  type: 'schedule';
  cron: string;
  timezone?: string;
  overlap?: string;
  catchUp?: string;
}
export interface WebhookTrigger {
  type: 'webhook';
  id: string;
}
export interface IncidentTrigger {
  type: 'incident';
  events: string[];
  condition?: string | null;
}
export type DocumentTrigger = { type: 'manual' } | ScheduleTrigger | WebhookTrigger | IncidentTrigger;

/** Of a published document, which is known to be valid, or of a draft, which is not. */
export function triggersOf(document: unknown): DocumentTrigger[] {
  const { triggers } = (document ?? {}) as { triggers?: unknown };
  return Array.isArray(triggers) ? triggers.filter((each) => typeof each?.type === 'string' && each.type in KINDS) : [];
}
