import { Button, Text, Title } from '@mantine/core';
import { useMay } from '@/api/session';
import type { WorkflowDetail } from '@/api/types';
import { confirm } from '@/ui/confirm';
import { Instant } from '@/ui/Instant';
import { Panel } from '@/ui/Page';
import { useCommands } from '../queries';
import classes from './Settings.module.css';

/** Its facts, its files, and what cannot be taken back. */
export function Settings({ workflow }: { workflow: WorkflowDetail }) {
  const mayManage = useMay('automation:manage');
  const commands = useCommands(workflow);
  const { workflowId, name } = workflow;
  const archive = async () => {
    const sure = await confirm({
      title: `Archive ${name}`,
      body: 'It cannot run or change any more, and it cannot be brought back. Its executions, versions and its name stay.',
      action: 'Archive',
      dangerous: true,
    });
    if (sure) await commands.archive();
  };
  return (
    <div className={classes.parts}>
      <Panel className={classes.part}>
        <Title order={2}>About</Title>
        <dl className={classes.facts}>
          <dt>Id</dt>
          <dd className="mono">{workflowId}</dd>
          <dt>Made</dt>
          <dd>
            <Instant at={workflow.createdAt} /> by {workflow.createdBy}
          </dd>
          <dt>Draft</dt>
          <dd>
            revision {workflow.draft.revision}, saved <Instant at={workflow.draft.savedAt} /> by{' '}
            {workflow.draft.savedBy}
          </dd>
        </dl>
      </Panel>
      <Panel className={classes.part}>
        <Title order={2}>Files</Title>
        <Text size="sm" c="dimmed" mb="sm">
          The text as it was written, comments and all; converted, comments are lost.
        </Text>
        <div className={classes.buttons}>
          <Button variant="default" component="a" href={`/api/v1/workflows/${workflowId}/export`} download>
            The draft
          </Button>
          {workflow.publishedVersion !== null && (
            <Button
              variant="default"
              component="a"
              href={`/api/v1/workflows/${workflowId}/export?version=${workflow.publishedVersion}`}
              download
            >
              Version {workflow.publishedVersion}
            </Button>
          )}
          <Button variant="default" component="a" href={`/api/v1/workflows/${workflowId}/export?format=json`} download>
            The draft as JSON
          </Button>
        </div>
      </Panel>
      {mayManage && !workflow.archived && (
        <Panel className={`${classes.part} ${classes.danger}`}>
          <Title order={2}>Archive</Title>
          <Text size="sm" c="dimmed" mb="sm">
            For a workflow that nobody needs any more: it cannot run, its history stays. To stop it for a while,
            deactivate it: executions that run go on.
          </Text>
          <Button color="red" variant="outline" loading={commands.busy === 'archive'} onClick={() => void archive()}>
            Archive …
          </Button>
        </Panel>
      )}
    </div>
  );
}
