/** What starts the workflow: each trigger in words, its fields, and for a schedule when it comes next. */
import { Button, Menu } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { problemsBelow } from '@/ui/schemaForm/paths';
import { type DocumentTrigger, KINDS } from '@/workflows/triggers/kinds';
import { SchedulePreview } from '@/workflows/triggers/SchedulePreview';
import { TriggerLine } from '@/workflows/triggers/TriggerLine';
import { freeWebhookId } from '../edits';
import { valueAt } from '../text/parsed';
import { withItem, withoutItem, withValue } from '../text/splice';
import { withSwapped } from '../text/swap';
import { Entry } from './Entry';
import { Fields } from './Fields';
import classes from './Form.module.css';
import { TRIGGER_FIELDS } from './fields';
import { useOrder } from './Order';
import type { FormProps } from './props';

function made(type: string, document: unknown): Record<string, unknown> {
  if (type === 'schedule') return { type, cron: '0 6 * * *' };
  if (type === 'webhook') return { type, id: freeWebhookId(document) };
  if (type === 'incident') return { type, events: ['incident.created'] };
  return { type };
}

export function Triggers({ parsed, problems, known, readOnly, edit }: FormProps) {
  const [opened, setOpened] = useState<number | null>(null);
  const [added, setAdded] = useState<number | null>(null);
  const list = valueAt(parsed.value, ['triggers']);
  const triggers = (Array.isArray(list) ? list : []) as Record<string, unknown>[];
  const order = useOrder(
    triggers.map((trigger, at) => `trigger ${at + 1}, ${KINDS[String(trigger?.type)]?.label ?? 'of no type'},`),
    !readOnly,
    (one, other) => {
      edit((text) => withSwapped(text, ['triggers'], one, other));
      setOpened(opened === one ? other : opened === other ? one : opened);
    },
  );
  return (
    <section aria-label="Triggers">
      <div className={classes.sectionHead}>
        <p className={classes.does}>What starts it, besides people, the API and other workflows.</p>
        {!readOnly && (
          <Menu>
            <Menu.Target>
              <Button size="compact-xs" variant="default" leftSection={<IconPlus size={12} aria-hidden />}>
                Add a trigger
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {Object.entries(KINDS).map(([type, { label, icon: Icon }]) => (
                <Menu.Item
                  key={type}
                  leftSection={<Icon size={15} aria-hidden />}
                  onClick={() => {
                    edit((text) => withItem(text, ['triggers'], triggers.length, made(type, parsed.value), true));
                    setOpened(triggers.length);
                    setAdded(triggers.length);
                  }}
                >
                  {label}
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
        )}
      </div>
      {triggers.length === 0 && <p className={classes.none}>There is none.</p>}
      <ul className={classes.entries} ref={order.list}>
        {triggers.map((trigger, at) => {
          const type = String(trigger?.type ?? '');
          const below = problemsBelow(`triggers[${at}]`, problems);
          return (
            <Entry
              // biome-ignore lint/suspicious/noArrayIndexKey: a trigger has nothing else of its own
              key={at}
              title={null}
              summary={
                type in KINDS ? (
                  <TriggerLine trigger={spoken(trigger)} />
                ) : (
                  `A type that there is not: ${type || 'none'}`
                )
              }
              wrong={below.length > 0}
              opened={opened === at}
              onToggle={() => setOpened(opened === at ? null : at)}
              removal={readOnly ? null : `Remove the trigger ${KINDS[type]?.label ?? type}`}
              onRemove={() => {
                edit((text) => withoutItem(text, ['triggers'], at));
                setOpened(null);
              }}
              moves={order.moves(at)}
              isNew={added === at}
            >
              <Fields
                fields={TRIGGER_FIELDS[type] ?? []}
                owner={trigger ?? {}}
                problems={below}
                known={known}
                readOnly={readOnly}
                onChange={(name, next) => edit((text) => withValue(text, ['triggers', at, name], next), true)}
              />
              {type === 'manual' && <p className={classes.none}>It has nothing to set.</p>}
              {type === 'webhook' && (
                <p className={classes.none}>
                  Its address and secret are made on the page of the workflow, under Triggers, once a version with it is
                  published.
                </p>
              )}
              {type === 'schedule' && <Fires cron={trigger?.cron} timezone={trigger?.timezone} />}
            </Entry>
          );
        })}
      </ul>
      {order.told}
    </section>
  );
}

/** A trigger that is being written may lack anything. */
function spoken(trigger: Record<string, unknown>): DocumentTrigger {
  const { type, cron, timezone, id, events, condition } = trigger;
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  switch (type) {
    case 'schedule':
      return { type, cron: text(cron), ...(typeof timezone === 'string' ? { timezone } : {}) };
    case 'webhook':
      return { type, id: text(id) };
    case 'incident':
      return { type, events: Array.isArray(events) ? events.map(String) : [], condition: text(condition) };
    default:
      return { type: 'manual' };
  }
}

function Fires({ cron, timezone }: { cron: unknown; timezone: unknown }) {
  const wanted = `${typeof cron === 'string' ? cron.trim() : ''}\n${typeof timezone === 'string' ? timezone.trim() : 'UTC'}`;
  const [asked] = useDebouncedValue(wanted, 400);
  const [expression = '', zone = ''] = asked.split('\n');
  if (expression === '' || zone === '') return null;
  return (
    <div className={classes.preview}>
      <SchedulePreview cron={expression} timezone={zone} />
    </div>
  );
}
