import { Button, Skeleton, Tabs, Title, Tooltip } from '@mantine/core';
import { IconPlayerStop, IconRefresh } from '@tabler/icons-react';
import { memo, Suspense, useRef, useState } from 'react';
import { Link } from 'react-router';
import { useMay } from '@/api/session';
import { EXECUTION, isActive } from '@/theme/status';
import { CountBadge } from '@/ui/CountBadge';
import { LiveMark } from '@/ui/LiveMark';
import { lazyPart } from '@/ui/lazyPart';
import { Page, Panel } from '@/ui/Page';
import { useParam, useSetParams } from '@/ui/params';
import { StatusBadge } from '@/ui/StatusBadge';
import { useShortcuts } from '@/ui/shortcuts';
import { Banner } from './banner/Banner';
import classes from './ExecutionPage.module.css';
import { Facts } from './Facts';
import { useExecution, useStreamState } from './store';

const ExecutionGraph = lazyPart(async () => (await import('@/graph/ExecutionGraph')).ExecutionGraph);
const CancelDialog = lazyPart(async () => (await import('./actions/CancelDialog')).CancelDialog);
const RerunDialog = lazyPart(async () => (await import('./actions/RerunDialog')).RerunDialog);

const JobTimeline = lazyPart(async () => (await import('./jobs/JobTimeline')).JobTimeline);
const JobDrawer = lazyPart(async () => (await import('./jobs/JobDrawer')).JobDrawer);
const LogPanel = lazyPart(async () => (await import('./log/LogPanel')).LogPanel);
const VariablesPanel = lazyPart(async () => (await import('./VariablesPanel')).VariablesPanel);
const ApprovalsPanel = lazyPart(async () => (await import('./ApprovalsPanel')).ApprovalsPanel);

const TABS = ['overview', 'log', 'variables', 'approvals'] as const;
type Tab = (typeof TABS)[number];

export function ExecutionView() {
  const detail = useExecution();
  const stream = useStreamState();
  const mayExecute = useMay('automation:execute');
  const [dialog, setDialog] = useState<'cancel' | 'rerun' | null>(null);
  const [tab, show] = useTab();
  const set = useSetParams();
  // once it was there it stays, so that it can slide away
  const drawer = useRef(false);
  if (useParam('job') !== null) drawer.current = true;
  const active = isActive(detail.status);

  const firstError = () => set({ tab: 'log', at: 'error', find: null, level: null, node: null });
  const cancel = () => mayExecute && active && setDialog('cancel');
  const rerun = () => mayExecute && !active && setDialog('rerun');
  useShortcuts([
    { key: 'o', does: 'Show the overview', run: () => show('overview') },
    { key: 'l', does: 'Show the log', run: () => show('log') },
    { key: 'v', does: 'Show the variables', run: () => show('variables') },
    { key: 'a', does: 'Show the approvals', run: () => show('approvals') },
    { key: 'e', does: 'Go to the first error', run: firstError },
    { key: 'c', does: 'Cancel the execution', run: cancel },
    { key: 'r', does: 'Run it again', run: rerun },
  ]);

  return (
    <Page
      title={`${detail.workflowName}, ${EXECUTION[detail.status].label.toLowerCase()}`}
      heading={
        <div className={classes.title}>
          <Title order={1}>
            <Link to={`/automation/workflows/${detail.workflowId}`}>{detail.workflowName}</Link>
          </Title>
          <span role="status">
            <StatusBadge look={EXECUTION[detail.status]} />
          </span>
          <span className={classes.live}>
            <LiveMark state={stream} />
          </span>
        </div>
      }
      actions={
        <>
          <Action
            label="Cancel"
            icon={<IconPlayerStop size={16} aria-hidden />}
            onClick={cancel}
            whyNot={!active ? 'It has ended' : mayExecute ? null : NOT_ALLOWED}
          />
          <Action
            label="Run again"
            icon={<IconRefresh size={16} aria-hidden />}
            onClick={rerun}
            whyNot={active ? 'It has not ended: cancel it, or wait' : mayExecute ? null : NOT_ALLOWED}
          />
        </>
      }
    >
      <Banner onFirstError={firstError} />
      <Facts />
      <Tabs
        value={tab}
        onChange={(value) => show((value ?? 'overview') as Tab)}
        keepMounted={false}
        mt="sm"
        classNames={{ tab: classes.tab }}
      >
        <Tabs.List mb="sm">
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="log">Log</Tabs.Tab>
          <Tabs.Tab value="variables">Variables</Tabs.Tab>
          <Tabs.Tab
            value="approvals"
            rightSection={detail.pendingApprovals > 0 && <CountBadge count={detail.pendingApprovals} what="waiting" />}
          >
            Approvals
          </Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Overview />
        </Tabs.Panel>
        <Tabs.Panel value="log">
          <Suspense fallback={<Skeleton height={240} />}>
            <LogPanel />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="variables">
          <Suspense fallback={<Skeleton height={240} />}>
            <VariablesPanel />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="approvals">
          <Suspense fallback={<Skeleton height={240} />}>
            <ApprovalsPanel />
          </Suspense>
        </Tabs.Panel>
      </Tabs>
      {drawer.current && (
        <Suspense>
          <JobDrawer />
        </Suspense>
      )}
      {dialog === 'cancel' && (
        <Suspense>
          <CancelDialog onClose={() => setDialog(null)} />
        </Suspense>
      )}
      {dialog === 'rerun' && (
        <Suspense>
          <RerunDialog onClose={() => setDialog(null)} />
        </Suspense>
      )}
    </Page>
  );
}

/** Its parts hear for themselves of what concerns them. */
const Overview = memo(function Overview() {
  return (
    <div className={classes.overview}>
      <Panel className={classes.graph}>
        <Suspense fallback={<Skeleton height="100%" />}>
          <ExecutionGraph />
        </Suspense>
      </Panel>
      <Panel className={classes.timeline}>
        <Suspense fallback={<Skeleton height={240} />}>
          <JobTimeline />
        </Suspense>
      </Panel>
    </div>
  );
});

const NOT_ALLOWED = 'You need the permission automation:execute';

function Action({
  label,
  icon,
  onClick,
  whyNot,
}: {
  label: string;
  icon: React.ReactNode;
  onClick: () => void;
  whyNot: string | null;
}) {
  return (
    <Tooltip label={whyNot} disabled={whyNot === null}>
      <Button
        variant="default"
        leftSection={icon}
        onClick={onClick}
        // not `disabled`: the reason is to be reached by keyboard
        data-disabled={whyNot !== null || undefined}
        aria-disabled={whyNot !== null || undefined}
      >
        {label}
      </Button>
    </Tooltip>
  );
}

function useTab(): [Tab, (tab: Tab) => void] {
  const named = useParam('tab');
  const set = useSetParams();
  const tab = TABS.find((each) => each === named) ?? 'overview';
  return [tab, (next) => set({ tab: next === 'overview' ? null : next, at: null })];
}
