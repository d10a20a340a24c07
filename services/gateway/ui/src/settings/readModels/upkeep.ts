import type { ReadModel } from '@/api/types';

type Work = NonNullable<ReadModel['rebuild']>;

/** Whether the model is being rebuilt or compared. */
export function goesOn(model: ReadModel): boolean {
  return [model.rebuild, model.checksum].some(
    (work) => work !== null && work.finishedAt === null && work.failure === null,
  );
}

/** Of the log, whole; 100 only at its end. */
export function percent(work: Pick<Work, 'position' | 'head'>): number {
  if (work.head <= 0) return 0;
  return work.position >= work.head ? 100 : Math.min(99, Math.floor((work.position / work.head) * 100));
}
