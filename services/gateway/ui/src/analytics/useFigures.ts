/** All figures of one question, asked together so that they belong together; again every 30 s while it ends now. */
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api, take } from '@/api/client';
import type { components } from '@/api/schema';
import { type Asked, before, boundsOf, includesNow, writeAsked } from './range';

type Schemas = components['schemas'];
export type Summary = Schemas['AnalyticsSummary'];
export type Trends = Schemas['AnalyticsTrends'];
export type Trend = Trends['items'][number];
export type WorkflowFigures = Schemas['WorkflowFigures'];
export type AgentFigures = Schemas['AgentFigures'];

const REFRESH_MS = 30_000;
const TOP = 10;

export interface Figures {
  summary: Summary;
  trends: Trends;
  workflows: Schemas['AnalyticsWorkflows'];
  agents: Schemas['AnalyticsAgents'];
  /** Of as much time right before. */
  previous: Summary;
}

/** The zone that the API takes when none is named: the tenant's. */
export function useTenantZone() {
  return useQuery({
    queryKey: ['analytics', 'zone'],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }) => (await take(api.GET('/api/v1/analytics/summary', { signal }))).timezone,
  });
}

export function useFigures(asked: Asked, zone: string | undefined) {
  return useQuery({
    queryKey: ['analytics', 'figures', zone, writeAsked(asked).toString()],
    enabled: zone !== undefined,
    placeholderData: keepPreviousData,
    refetchInterval: () => includesNow(asked, Date.now()) && REFRESH_MS,
    queryFn: ({ signal }) => figures(asked, zone ?? '', signal),
  });
}

async function figures(asked: Asked, zone: string, signal: AbortSignal): Promise<Figures> {
  const now = Date.now();
  const workflow = asked.workflowId === null ? {} : { workflowId: asked.workflowId };
  const trigger = asked.trigger === null ? {} : { trigger: [asked.trigger] };
  const bounds = { ...boundsOf(asked, zone, now), timezone: zone };
  const summary = await take(
    api.GET('/api/v1/analytics/summary', { params: { query: { ...bounds, ...workflow, ...trigger } }, signal }),
  );
  // what the others are of is what the summary is of, also at the turn of a quarter of an hour
  const { from, to } = summary;
  const same = { from, to, timezone: zone };
  const [trends, workflows, agents, previous] = await Promise.all([
    take(api.GET('/api/v1/analytics/trends', { params: { query: { ...same, ...workflow, ...trigger } }, signal })),
    take(api.GET('/api/v1/analytics/workflows', { params: { query: { ...same, ...trigger, limit: TOP } }, signal })),
    take(api.GET('/api/v1/analytics/agents', { params: { query: { ...same, ...workflow, limit: 50 } }, signal })),
    take(
      api.GET('/api/v1/analytics/summary', {
        params: { query: { ...before(from, to, now), timezone: zone, ...workflow, ...trigger } },
        signal,
      }),
    ),
  ]);
  return { summary, trends, workflows, agents, previous };
}
