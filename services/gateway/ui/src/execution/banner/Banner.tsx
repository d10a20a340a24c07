/** What the execution does, what it waits for and until when; or how it ended, and the way to the reason. */
import { type CSSProperties, useMemo, useRef } from 'react';
import { Link } from 'react-router';
import { HowLong } from '@/executions/HowLong';
import { EXECUTION, isActive } from '@/theme/status';
import { useSetParams } from '@/ui/params';
import { useExecution, useJobs } from '../store';
import classes from './Banner.module.css';
import { type Reason, reasonsOf } from './reasons';

const SHOWN = 2;

export function Banner({ onFirstError }: { onFirstError: () => void }) {
  const detail = useExecution();
  const { icon: Icon, tone: own, animated } = EXECUTION[detail.status];
  const active = isActive(detail.status);
  // what will fail is known before the last job of it has ended
  const tone = active && detail.error !== null ? 'red' : own;
  // one that has ended before it is looked at needs no room for what comes and goes
  const roomy = useRef(active).current;
  const style = { '--tone': `var(--ry-${tone})`, '--ground': `var(--ry-${tone}-ground)` } as CSSProperties;
  return (
    <section className={classes.banner} data-roomy={roomy} style={style} aria-label="Status">
      <Icon size={22} aria-hidden className={`${classes.icon} ${animated ? classes.turning : ''}`} />
      <div className={classes.words}>
        {!active && <div className={classes.headline}>{detail.banner}</div>}
        {active && detail.error !== null && (
          <div className={classes.headline}>{`Failing: ${detail.error.message}`}</div>
        )}
        {detail.error !== null && detail.status !== 'cancelled' && <Cause onFirstError={onFirstError} />}
        {active && <Going />}
      </div>
    </section>
  );
}

function Going() {
  const detail = useExecution();
  const { list, byId } = useJobs();
  const { first, total } = useMemo(() => reasonsOf(detail, list, byId), [detail, list, byId]);
  if (first.length === 0) {
    return <div className={classes.headline}>{total > 0 ? detail.banner : 'Deciding what comes next'}</div>;
  }
  const rest = first.slice(SHOWN);
  return (
    <ul className={classes.reasons}>
      {first.slice(0, SHOWN).map((reason, index) => (
        <ReasonLine key={reason.key} reason={reason} alone={first.length === 1}>
          {index === Math.min(SHOWN, first.length) - 1 && rest.length > 0 && (
            <details className={classes.more}>
              <summary>and {total - SHOWN} more</summary>
              <ul className={classes.reasons}>
                {rest.map((each) => (
                  <ReasonLine key={each.key} reason={each} />
                ))}
                {total - SHOWN > rest.length && <li>and {total - SHOWN - rest.length} that are not listed here</li>}
              </ul>
            </details>
          )}
        </ReasonLine>
      ))}
    </ul>
  );
}

function ReasonLine({ reason, alone, children }: { reason: Reason; alone?: boolean; children?: React.ReactNode }) {
  const set = useSetParams();
  return (
    <li className={classes.reason}>
      <span>{reason.words}</span>
      <span className={classes.time}>
        <HowLong {...reason} />
      </span>
      {reason.approvalId !== null && (
        <button type="button" className={classes.answer} onClick={() => set({ tab: 'approvals' })}>
          Answer
        </button>
      )}
      {reason.jobId !== null && (
        <button type="button" className={classes.link} onClick={() => set({ job: reason.jobId })}>
          {reason.kind === 'running' ? 'Output' : 'Job'}
          <span className="visually-hidden"> of {reason.words}</span>
        </button>
      )}
      {reason.childExecutionId !== null && (
        <Link to={`/automation/executions/${reason.childExecutionId}`}>Open that execution</Link>
      )}
      {children}
      {reason.question !== null && alone && <div className={classes.question}>“{reason.question}”</div>}
    </li>
  );
}

/** Where it failed, and the ways to why. */
function Cause({ onFirstError }: { onFirstError: () => void }) {
  const detail = useExecution();
  const { list } = useJobs();
  const set = useSetParams();
  const { error } = detail;
  const job = useMemo(
    () =>
      error?.nodeId == null ? undefined : list.findLast((each) => each.nodeId === error.nodeId && each.error !== null),
    [list, error],
  );
  const node = detail.nodes.find((each) => each.nodeId === error?.nodeId);
  if (error === null) return null;
  return (
    <div className={classes.doing}>
      {(node ?? job) && (
        <span>
          {node?.name ?? job?.nodeName}
          {job && `, ${job.actionType}`}
          {job && job.attempt > 1 && `, attempt ${job.attempt}`}
          {job?.agent && `, on ${job.agent}`}
        </span>
      )}
      {error.exitCode != null && <span>exit code {error.exitCode}</span>}
      {error.statusCode != null && <span>HTTP {error.statusCode}</span>}
      {job && (
        <button type="button" className={classes.link} onClick={() => set({ job: job.jobId })}>
          Output
          <span className="visually-hidden"> of what failed</span>
        </button>
      )}
      <button type="button" className={classes.link} onClick={onFirstError}>
        First error in the log
      </button>
    </div>
  );
}
