/** The first steps, each done in place: connect an agent, make a workflow, run it, watch it. */
import { Button, Title } from '@mantine/core';
import { IconCircleCheck, IconCircleDashed, IconCircleDotted } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useAgents } from '@/agents/queries';
import { Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { AgentStep } from './AgentStep';
import classes from './Checklist.module.css';
import { type Progress, progressOf, type StepId } from './progress';
import { firstExecutions, firstWorkflows } from './queries';
import { RunStep } from './RunStep';
import { WatchStep } from './WatchStep';
import { WorkflowStep } from './WorkflowStep';

export function Checklist({ onClose }: { onClose: () => void }) {
  const agents = useAgents();
  const workflows = useQuery({ ...firstWorkflows(), refetchInterval: 5000 });
  const executions = useQuery(firstExecutions);
  const failed = [agents, workflows, executions].find((each) => each.isError);
  if (failed) {
    return (
      <Panel className={classes.panel}>
        <ProblemAlert error={failed.error} onRetry={() => failed.refetch()} title="The first steps cannot be shown" />
      </Panel>
    );
  }
  if (!agents.data || !workflows.data || !executions.data) return null;
  const progress = progressOf({ agents: agents.data, workflows: workflows.data, executions: executions.data });
  const names = new Set(workflows.data.map((each) => each.name));
  return (
    <Panel className={classes.panel}>
      <header className={classes.head}>
        <div>
          <Title order={2}>{progress.current === null ? 'Runyard works here' : 'First steps'}</Title>
          <p className={classes.about}>
            {progress.current === null
              ? 'An agent has carried out your first workflow. From here on:'
              : 'From an empty system to a workflow that has run: four steps, each from here.'}
          </p>
        </div>
        <Button variant="subtle" color="gray" size="compact-sm" onClick={onClose}>
          {progress.current === null ? 'Close' : 'Hide these steps'}
        </Button>
      </header>
      {progress.current === null ? (
        <Next progress={progress} />
      ) : (
        <ol className={classes.steps}>
          <Step id="agent" title="Connect an agent" progress={progress}>
            <AgentStep progress={progress} />
          </Step>
          <Step id="workflow" title="Make a workflow from a template" progress={progress}>
            <WorkflowStep progress={progress} names={names} />
          </Step>
          <Step id="run" title="Run it" progress={progress}>
            <RunStep progress={progress} />
          </Step>
          <Step id="watch" title="Watch it" progress={progress}>
            <WatchStep progress={progress} />
          </Step>
        </ol>
      )}
    </Panel>
  );
}

function Step({
  id,
  title,
  progress,
  children,
}: {
  id: StepId;
  title: string;
  progress: Progress;
  children: ReactNode;
}) {
  const done = progress.done.has(id);
  const current = progress.current === id;
  const Icon = done ? IconCircleCheck : current ? IconCircleDotted : IconCircleDashed;
  return (
    <li
      className={classes.step}
      data-state={done ? 'done' : current ? 'current' : 'later'}
      aria-current={current ? 'step' : undefined}
    >
      <Icon size={20} stroke={2} className={classes.icon} aria-hidden />
      <div className={classes.content}>
        <Title order={3} className={classes.title}>
          {title}
          <span className="visually-hidden">{done ? ' (done)' : current ? ' (next)' : ' (later)'}</span>
        </Title>
        {children}
      </div>
    </li>
  );
}

function Next({ progress }: { progress: Progress }) {
  return (
    <ul className={classes.next}>
      {progress.execution && (
        <li>
          <Link to={`/automation/executions/${progress.execution.executionId}`}>See what it did</Link>: each job, its
          output, every decision.
        </li>
      )}
      {progress.workflow && (
        <li>
          <Link to={`/automation/workflows/${progress.workflow.workflowId}`}>Let it start by itself</Link>: by schedule,
          webhook or incident.
        </li>
      )}
      <li>
        <Link to="/automation/workflows/new">Write your own</Link>, or begin with another template.
      </li>
      <li>
        <Link to="/automation/agents?new=agent">Connect an agent</Link> where your systems are, and{' '}
        <Link to="/automation/connections">connections</Link> to them.
      </li>
      <li>
        <Link to="/settings/users">Let others in</Link>, and say{' '}
        <Link to="/settings/channels">where approvers are told</Link>.
      </li>
    </ul>
  );
}
