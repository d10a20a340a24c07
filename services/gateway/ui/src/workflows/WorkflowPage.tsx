/** One workflow: what it does, what starts it, which versions there were, and everything one can do with it. */
import { Button, Group, Loader, Skeleton, Stack, Tabs, Title } from '@mantine/core';
import { IconPencil, IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { Link, useParams, useSearchParams } from 'react-router';
import { useMay } from '@/api/session';
import type { WorkflowDetail } from '@/api/types';
import { Page } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { ReasonedButton } from '@/ui/ReasonedButton';
import { StatusBadge } from '@/ui/StatusBadge';
import { useShortcuts } from '@/ui/shortcuts';
import { Overview } from './overview/Overview';
import { useCommands, workflowQuery } from './queries';
import { RunDialog } from './run/RunDialog';
import { lookOfWorkflow, whyNotActivate, whyNotRun } from './state';
import classes from './WorkflowPage.module.css';

const Versions = lazy(async () => ({ default: (await import('./versions/Versions')).Versions }));
const Triggers = lazy(async () => ({ default: (await import('./triggers/Triggers')).Triggers }));
const Settings = lazy(async () => ({ default: (await import('./settings/Settings')).Settings }));

const TABS = ['overview', 'versions', 'triggers', 'settings'] as const;
type Tab = (typeof TABS)[number];

export function WorkflowPage() {
  const { workflowId = '' } = useParams();
  const workflow = useQuery(workflowQuery(workflowId));
  if (workflow.data) return <Loaded workflow={workflow.data} />;
  return (
    <Page title="Workflow">
      {workflow.isError ? (
        <ProblemAlert error={workflow.error} onRetry={() => workflow.refetch()} />
      ) : (
        <Stack gap="sm" role="status" aria-label="Loading the workflow">
          <Skeleton height={28} width={320} />
          <Skeleton height={360} />
        </Stack>
      )}
    </Page>
  );
}

function Loaded({ workflow }: { workflow: WorkflowDetail }) {
  const [params, setParams] = useSearchParams();
  const mayExecute = useMay('automation:execute');
  const mayManage = useMay('automation:manage');
  const commands = useCommands(workflow);
  const noRun = whyNotRun(workflow);
  const tab = TABS.find((each) => each === params.get('tab')) ?? 'overview';
  const running = params.has('run') && mayExecute && noRun === null;
  const open = (name: Tab) => setParams(name === 'overview' ? {} : { tab: name });
  const setRun = (on: boolean) =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (on) after.set('run', '1');
        else after.delete('run');
        return after;
      },
      { replace: !on },
    );
  useShortcuts([
    ...(mayExecute && noRun === null ? [{ key: 'r', does: 'Run it', run: () => setRun(true) }] : []),
    ...TABS.map((each, index) => ({
      key: String(index + 1),
      does: `Show ${TAB_WORDS[each].toLowerCase()}`,
      run: () => open(each),
    })),
  ]);
  return (
    <Page
      title={workflow.name}
      heading={
        <>
          <Group gap="sm" align="center">
            <Title order={1}>{workflow.name}</Title>
            <StatusBadge look={lookOfWorkflow(workflow)} />
          </Group>
          <Facts workflow={workflow} />
        </>
      }
      actions={
        <Group gap="xs">
          {mayManage && !workflow.archived && (
            <>
              {workflow.active ? (
                <Button
                  variant="default"
                  loading={commands.busy === 'deactivate'}
                  onClick={() => void commands.deactivate()}
                >
                  Deactivate
                </Button>
              ) : (
                <ReasonedButton
                  variant="default"
                  reason={whyNotActivate(workflow)}
                  loading={commands.busy === 'activate'}
                  onClick={() => void commands.activate()}
                >
                  Activate
                </ReasonedButton>
              )}
              <Button
                variant="default"
                component={Link}
                to={`/automation/workflows/${workflow.workflowId}/edit`}
                leftSection={<IconPencil size={16} aria-hidden />}
              >
                Edit
              </Button>
            </>
          )}
          {mayExecute && (
            <ReasonedButton
              reason={noRun}
              leftSection={<IconPlayerPlay size={16} aria-hidden />}
              onClick={() => setRun(true)}
            >
              Run
            </ReasonedButton>
          )}
        </Group>
      }
    >
      <Tabs value={tab} onChange={(next) => open((next ?? 'overview') as Tab)} keepMounted={false}>
        <Tabs.List className={classes.tabs}>
          {TABS.map((each) => (
            <Tabs.Tab key={each} value={each}>
              {TAB_WORDS[each]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Suspense fallback={<Loader m="md" size="sm" aria-label="Loading" />}>
          <Tabs.Panel value="overview">
            <Overview workflow={workflow} />
          </Tabs.Panel>
          <Tabs.Panel value="versions">
            <Versions workflow={workflow} />
          </Tabs.Panel>
          <Tabs.Panel value="triggers">
            <Triggers workflow={workflow} />
          </Tabs.Panel>
          <Tabs.Panel value="settings">
            <Settings workflow={workflow} />
          </Tabs.Panel>
        </Suspense>
      </Tabs>
      {running && <RunDialog workflow={workflow} onClose={() => setRun(false)} />}
    </Page>
  );
}

const TAB_WORDS: Record<Tab, string> = {
  overview: 'Overview',
  versions: 'Versions',
  triggers: 'Triggers',
  settings: 'Settings',
};

/** Which version runs, and whether there is something newer. */
function Facts({ workflow }: { workflow: WorkflowDetail }) {
  const mayManage = useMay('automation:manage');
  const { publishedVersion, latestVersion } = workflow;
  const edit = `/automation/workflows/${workflow.workflowId}/edit`;
  return (
    <p className={classes.facts}>
      {publishedVersion === null ? (
        'A draft, never published.'
      ) : (
        <>
          Version {publishedVersion} is in use
          {latestVersion !== null && latestVersion !== publishedVersion && `, rolled back from ${latestVersion}`}.{' '}
          {workflow.draftDiffers &&
            !workflow.archived &&
            (mayManage ? <Link to={edit}>The draft is not published.</Link> : 'The draft is not published.')}
        </>
      )}
    </p>
  );
}
