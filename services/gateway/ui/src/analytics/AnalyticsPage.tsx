/** Figures (R60, R61): how much runs, how well, how long, where. Each leads to the executions that it counts. */
import { Skeleton, Stack } from '@mantine/core';
import { IconChartBar } from '@tabler/icons-react';
import { Link, useSearchParams } from 'react-router';
import { EmptyState } from '@/ui/EmptyState';
import { Page, Panel } from '@/ui/Page';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { AgentShare } from './AgentShare';
import classes from './AnalyticsPage.module.css';
import { AskBar } from './AskBar';
import { FigureCards } from './FigureCards';
import { readAsked, writeAsked } from './range';
import { TopWorkflows } from './TopWorkflows';
import { TrendPanel } from './TrendPanel';
import { useFigures, useTenantZone } from './useFigures';
import { inputOf } from './zones';

export function AnalyticsPage() {
  const [params, setParams] = useSearchParams();
  const asked = readAsked(params);
  const tenant = useTenantZone();
  const zone = asked.zone ?? tenant.data;
  const found = useFigures(asked, zone);
  const error = found.error ?? tenant.error;
  const retry = () => void (tenant.data === undefined ? tenant.refetch() : found.refetch());
  return (
    <Page title="Analytics">
      {tenant.data !== undefined && (
        <AskBar asked={asked} tenantZone={tenant.data} onChange={(next) => setParams(writeAsked(next))} />
      )}
      {error && <ProblemAlert error={error} onRetry={retry} />}
      {found.data ? (
        <div className={classes.all} data-old={found.isPlaceholderData} aria-busy={found.isPlaceholderData}>
          <p className={classes.of}>
            Executions that started from{' '}
            <time dateTime={found.data.summary.from}>{when(found.data.summary.from, found.data.summary.timezone)}</time>{' '}
            until{' '}
            <time dateTime={found.data.summary.to}>{when(found.data.summary.to, found.data.summary.timezone)}</time>,{' '}
            {found.data.summary.timezone}
          </p>
          <FigureCards figures={found.data} asked={asked} />
          {found.data.summary.total === 0 ? (
            <Panel>
              <EmptyState icon={IconChartBar} title="Nothing ran in this range">
                Choose a longer one or other workflows, or run something from the{' '}
                <Link to="/automation/workflows">workflows</Link>.
              </EmptyState>
            </Panel>
          ) : (
            <>
              <TrendPanel figures={found.data} asked={asked} />
              <div className={classes.two}>
                {asked.workflowId === null && <TopWorkflows figures={found.data} asked={asked} />}
                <AgentShare figures={found.data} asked={asked} />
              </div>
            </>
          )}
        </div>
      ) : (
        !error && (
          <Stack gap="md" role="status" aria-label="Loading the figures">
            <Skeleton height={104} />
            <Skeleton height={320} />
            <Skeleton height={220} />
          </Stack>
        )
      )}
    </Page>
  );
}

function when(iso: string, zone: string): string {
  return inputOf(iso, zone).replace('T', ' ');
}
