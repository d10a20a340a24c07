import { Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { WorkflowDetail } from '@/api/types';
import { Panel } from '@/ui/Page';
import { versionQuery } from '../queries';
import { type IncidentTrigger, triggersOf, type WebhookTrigger } from './kinds';
import { Records } from './Records';
import { Schedules } from './Schedules';
import { eventWords } from './TriggerLine';
import classes from './Triggers.module.css';
import { Webhooks } from './Webhooks';

/** All that starts it, and what became of each time it could have been started. */
export function Triggers({ workflow }: { workflow: WorkflowDetail }) {
  const { workflowId, publishedVersion } = workflow;
  const version = useQuery({ ...versionQuery(workflowId, publishedVersion ?? 0), enabled: publishedVersion !== null });
  const running = triggersOf(version.data?.document);
  return (
    <div className={classes.sections}>
      <Schedules workflow={workflow} />
      <Webhooks
        workflow={workflow}
        running={running.filter((each): each is WebhookTrigger => each.type === 'webhook').map((each) => each.id)}
      />
      <Incidents triggers={running.filter((each): each is IncidentTrigger => each.type === 'incident')} />
      <Records workflow={workflow} />
    </div>
  );
}

function Incidents({ triggers }: { triggers: readonly IncidentTrigger[] }) {
  return (
    <Panel className={classes.section}>
      <div className={classes.head}>
        <Title order={2}>Incidents</Title>
      </div>
      {triggers.length === 0 ? (
        <Text size="sm" c="dimmed">
          None in the version that runs. A trigger of the type <code>incident</code> starts it for incidents that meet
          its condition.
        </Text>
      ) : (
        triggers.map((each, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: triggers have no other name than their place
          <div key={index} className={classes.item}>
            <div className={classes.what}>
              <span className={classes.title}>An incident is {eventWords(each.events)}</span>
              <div className={classes.facts}>
                {each.condition ? (
                  <span>
                    if <code>{each.condition}</code>
                  </span>
                ) : (
                  <span>whatever it is about</span>
                )}
              </div>
            </div>
          </div>
        ))
      )}
    </Panel>
  );
}
