import { cronWords } from './cronWords';
import { type DocumentTrigger, KINDS } from './kinds';
import classes from './Triggers.module.css';

/** A trigger as the document has it, on a line or two. */
export function TriggerLine({ trigger }: { trigger: DocumentTrigger }) {
  const kind = KINDS[trigger.type];
  if (!kind) return null;
  return (
    <span className={classes.line}>
      <kind.icon size={15} stroke={1.8} aria-hidden className={classes.icon} />
      <span>
        {kind.label} <Details trigger={trigger} />
      </span>
    </span>
  );
}

function Details({ trigger }: { trigger: DocumentTrigger }) {
  switch (trigger.type) {
    case 'schedule':
      return (
        <span className={classes.soft}>
          {cronWords(trigger.cron) ?? <code>{trigger.cron}</code>}, {trigger.timezone ?? 'UTC'}
        </span>
      );
    case 'webhook':
      return <code>{trigger.id}</code>;
    case 'incident':
      return (
        <span className={classes.soft}>
          {eventWords(trigger.events)}
          {trigger.condition && (
            <>
              {' '}
              if <code>{trigger.condition}</code>
            </>
          )}
        </span>
      );
    default:
      return <span className={classes.soft}>by a person, a program or another workflow</span>;
  }
}

/** `created or escalated` */
export function eventWords(events: readonly string[]): string {
  const words = events.map((each) => each.replace('incident.', ''));
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words[words.length - 1]}`;
}
