import { useNow } from '@/ui/clock';
import { durationText } from '@/ui/time';
import { hasEnded, type JobLine } from '../store';
import type { Attempts } from './attempts';
import { lengthOf, timesOf } from './chart';

/** How long it ran, ticking while it does; of one that has not begun how long it waits. */
export function JobDuration({ job }: { job: JobLine }) {
  return hasEnded(job.status) ? <Ended job={job} /> : <Going job={job} />;
}

/** Of several attempts how long it took in all, with what was waited between them. */
export function AttemptsDuration({ attempts }: { attempts: Attempts }) {
  const { jobs, last, retryAt } = attempts;
  if (jobs.length === 1 && retryAt === null) return <JobDuration job={last} />;
  return hasEnded(last.status) && retryAt === null ? (
    <InAll attempts={attempts} now={0} />
  ) : (
    <GoingInAll attempts={attempts} />
  );
}

function GoingInAll({ attempts }: { attempts: Attempts }) {
  return <InAll attempts={attempts} now={useNow()} />;
}

function InAll({ attempts, now }: { attempts: Attempts; now: number }) {
  const ms = lengthOf(attempts, now);
  return <span title="From its first attempt on">{ms === null ? '–' : durationText(ms)}</span>;
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
