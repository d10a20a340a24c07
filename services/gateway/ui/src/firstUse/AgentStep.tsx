import { Button, Loader } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { type AgentKey, AgentKeyDialog } from '@/agents/AgentKeyDialog';
import { NewAgentDialog } from '@/agents/NewAgentDialog';
import { useMay } from '@/api/session';
import classes from './Checklist.module.css';
import type { Progress } from './progress';

/** An agent does the work where it is; without one every job waits. */
export function AgentStep({ progress: { agent, awaited, current } }: { progress: Progress }) {
  const may = useMay('automation:admin');
  const [asking, setAsking] = useState(false);
  const [made, setMade] = useState<AgentKey | null>(null);
  return (
    <>
      {agent !== null ? (
        <p className={classes.text}>
          {agent.name} is online in pool {agent.pool}, and can do {agent.capacity} jobs at once.
        </p>
      ) : (
        current === 'agent' && (
          <>
            <p className={classes.text}>
              An agent runs on a machine of yours and carries out the jobs there. It calls in to Runyard; nothing has to
              reach it. You get its key and the command that starts it.
            </p>
            {awaited !== null && (
              <p className={classes.text} role="status">
                <Loader size={14} aria-hidden /> Waiting for <Link to="/automation/agents">{awaited.name}</Link> to come
                online …
              </p>
            )}
            <div className={classes.buttons}>
              {may ? (
                <Button
                  size="xs"
                  variant={awaited === null ? 'filled' : 'default'}
                  leftSection={<IconPlus size={14} aria-hidden />}
                  onClick={() => setAsking(true)}
                >
                  {awaited === null ? 'Connect an agent' : 'Connect another one'}
                </Button>
              ) : (
                <span className={classes.text}>It needs the permission automation:admin: ask an administrator.</span>
              )}
            </div>
          </>
        )
      )}
      <NewAgentDialog
        opened={asking}
        onClose={() => setAsking(false)}
        onMade={(key) => {
          setAsking(false);
          setMade(key);
        }}
      />
      <AgentKeyDialog made={made} onClose={() => setMade(null)} />
    </>
  );
}
