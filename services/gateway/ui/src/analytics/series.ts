import type { ExecutionStatus } from '@/api/types';
import { ACTIVE } from './range';

/** What the bars are stacked of, from below; together they are all executions of the interval. */
export const SERIES = [
  { key: 'completed', label: 'Completed', fill: 'var(--ry-green)', statuses: ['completed'] },
  { key: 'failed', label: 'Failed', fill: 'url(#trend-failed)', statuses: ['failed'] },
  { key: 'cancelled', label: 'Cancelled', fill: 'var(--ry-line-strong)', statuses: ['cancelled'] },
  { key: 'active', label: 'Active', fill: 'var(--ry-blue)', statuses: ACTIVE },
] as const satisfies readonly {
  key: string;
  label: string;
  fill: string;
  statuses: readonly ExecutionStatus[];
}[];
export type Series = (typeof SERIES)[number];
