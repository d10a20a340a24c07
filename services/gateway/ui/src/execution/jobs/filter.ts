/** Which jobs are listed: the filter is in the address. Pure. */
import type { JobStatus } from '@/api/types';
import { JOB } from '@/theme/status';
import type { JobLine } from '../store';

export interface JobFilter {
  statuses: readonly JobStatus[];
  /** A node; of a forEach all jobs of its iterations. */
  node: string | null;
  /** An iteration, and those within it. */
  item: string | null;
  text: string;
}

export function filterOf(params: URLSearchParams): JobFilter {
  return {
    statuses: params.getAll('jobStatus').filter((each): each is JobStatus => each in JOB),
    node: params.get('node'),
    item: params.get('item'),
    text: params.get('jobText') ?? '',
  };
}

export function isFiltered({ statuses, node, item, text }: JobFilter): boolean {
  return statuses.length > 0 || node !== null || item !== null || text.trim() !== '';
}

export function matching(jobs: readonly JobLine[], filter: JobFilter): readonly JobLine[] {
  if (!isFiltered(filter)) return jobs;
  const statuses = new Set(filter.statuses);
  const words = filter.text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  return jobs.filter(
    (job) =>
      (statuses.size === 0 || statuses.has(job.status)) &&
      (filter.node === null || isOfNode(job, filter.node)) &&
      (filter.item === null || job.item === filter.item || (job.item?.startsWith(`${filter.item}.`) ?? false)) &&
      words.every((word) => textOf(job).includes(word)),
  );
}

function isOfNode(job: JobLine, node: string): boolean {
  return job.nodeId === node || (job.item?.split('.').some((part) => part.startsWith(`${node}[`)) ?? false);
}

const texts = new WeakMap<JobLine, string>();

function textOf(job: JobLine): string {
  let text = texts.get(job);
  if (text === undefined) {
    text = [job.nodeName, job.nodeId, job.item, job.actionType, job.agent, job.error?.message, job.jobId]
      .filter(Boolean)
      .join('\n')
      .toLowerCase();
    texts.set(job, text);
  }
  return text;
}

export function countByStatus(jobs: readonly JobLine[]): ReadonlyMap<JobStatus, number> {
  const counts = new Map<JobStatus, number>();
  for (const { status } of jobs) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
}
