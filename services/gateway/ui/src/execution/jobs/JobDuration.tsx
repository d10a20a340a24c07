import { useNow } from '@/ui/clock';
import { durationText } from '@/ui/time';
import { hasEnded, type JobLine } from '../store';
import { timesOf } from './chart';

/** How long it ran, ticking while it does; of one that has not begun how long it waits. */
export function JobDuration({ job }: { job: JobLine }) {
  return hasEnded(job.status) ? <Ended job={job} /> : <Going job={job} />;
}

function Ended({ job }: { job: JobLine }) {
  const { started, finished } = timesOf(job);
  const ms = job.durationMs ?? (started !== null && finished !== null ? finished - started : null);
  return <>{ms === null ? '–' : durationText(ms)}</>;
}

function Going({ job }: { job: JobLine }) {
  const now = useNow();
  const { queued, started } = timesOf(job);
  return started === null ? (
    <span style={{ color: 'var(--ry-ink-soft)' }}>waits {durationText(now - queued)}</span>
  ) : (
    durationText(now - started)
  );
}
