/** Which jobs of an agent are listed, as it stands in the address. Pure. */
import type { JobStatus } from '@/api/types';

export const ENDED_JOBS: readonly JobStatus[] = ['completed', 'failed', 'timeout', 'cancelled'];

export interface JobsAsked {
  /** Empty: those that ended without having reached one. */
  agent: string;
  /** Of the executions' start; null as the API has it: 30 days until now. */
  from: string | null;
  to: string | null;
  workflowId: string | null;
  statuses: JobStatus[];
}

export function readJobsAsked(params: URLSearchParams): JobsAsked {
  const given = params.getAll('status');
  return {
    agent: params.get('agent') ?? '',
    from: params.get('from'),
    to: params.get('to'),
    workflowId: params.get('workflowId'),
    statuses: ENDED_JOBS.filter((each) => given.includes(each)),
  };
}

/** The list of exactly those jobs. */
export function jobsOf({ agent, statuses = [], ...range }: Partial<JobsAsked> & { agent: string }): string {
  const params = new URLSearchParams({ agent });
  for (const [name, value] of Object.entries(range)) if (typeof value === 'string') params.set(name, value);
  for (const each of statuses) params.append('status', each);
  return `/automation/analytics/jobs?${params}`;
}
