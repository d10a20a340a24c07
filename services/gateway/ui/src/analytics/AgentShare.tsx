import { Link } from 'react-router';
import { Panel } from '@/ui/Page';
import classes from './AnalyticsPage.module.css';
import { jobsOf } from './jobsAsked';
import { type Asked, listOf } from './range';
import type { Figures } from './useFigures';
import { durationOr, rateText, shareText } from './words';

export function AgentShare({ figures, asked }: { figures: Figures; asked: Asked }) {
  const { from, to, items } = figures.agents;
  const all = items.reduce((sum, each) => sum + each.jobs, 0);
  return (
    <Panel className={classes.panel}>
      <div className={classes.head}>
        <h2>Jobs by agent</h2>
        <p className={classes.note}>
          Jobs that have ended, retries included, of{' '}
          <Link to={listOf({ from, to, workflowId: asked.workflowId, trigger: null })}>
            the executions of this range
          </Link>
          {asked.trigger !== null && ', whatever began them'}
        </p>
      </div>
      {items.length === 0 ? (
        <p className={classes.none}>No job has ended.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, also by keys
        <section className={classes.sideways} tabIndex={0} aria-label="Jobs by agent">
          <table className={classes.figures}>
            <thead>
              <tr>
                <th>Agent</th>
                <th>Jobs</th>
                <th>Share</th>
                <th>Success</th>
                <th>Failed</th>
                <th>Busy</th>
              </tr>
            </thead>
            <tbody>
              {items.map(({ agent, ...each }) => {
                const of = { agent: agent ?? '', from, to, workflowId: asked.workflowId };
                return (
                  <tr key={of.agent}>
                    <th scope="row">
                      {agent === null ? (
                        'Never reached an agent'
                      ) : (
                        <Link to={`/automation/agents?q=${encodeURIComponent(agent)}`} className={classes.name}>
                          {agent}
                        </Link>
                      )}
                      <span className={classes.share} aria-hidden>
                        <span style={{ width: `${(each.jobs / Math.max(1, all)) * 100}%` }} />
                      </span>
                    </th>
                    <td>
                      <Link to={jobsOf(of)}>{each.jobs.toLocaleString()}</Link>
                    </td>
                    <td>{shareText(each.jobs, all)}</td>
                    <td>
                      {each.completed === 0 ? (
                        rateText(each.successRate)
                      ) : (
                        <Link to={jobsOf({ ...of, statuses: ['completed'] })}>{rateText(each.successRate)}</Link>
                      )}
                    </td>
                    <td title={`${each.failed} failed, ${each.timeout} timed out`}>
                      {each.failed + each.timeout === 0 ? (
                        0
                      ) : (
                        <Link to={jobsOf({ ...of, statuses: ['failed', 'timeout'] })}>
                          {(each.failed + each.timeout).toLocaleString()}
                        </Link>
                      )}
                    </td>
                    <td>{durationOr(each.busyMs)}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </section>
      )}
    </Panel>
  );
}
