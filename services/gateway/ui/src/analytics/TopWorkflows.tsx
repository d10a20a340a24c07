import { Link } from 'react-router';
import { Panel } from '@/ui/Page';
import classes from './AnalyticsPage.module.css';
import { type Asked, ENDED, listOf } from './range';
import { Count } from './TrendPanel';
import type { Figures } from './useFigures';
import { durationOr, rateText } from './words';

export function TopWorkflows({ figures, asked }: { figures: Figures; asked: Asked }) {
  const { from, to, items } = figures.workflows;
  const most = Math.max(1, ...items.map((each) => each.total));
  return (
    <Panel className={classes.panel}>
      <div className={classes.head}>
        <h2>Workflows with the most executions</h2>
      </div>
      {items.length === 0 ? (
        <p className={classes.none}>None ran.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, also by keys
        <section className={classes.sideways} tabIndex={0} aria-label="Workflows with the most executions">
          <table className={classes.figures}>
            <thead>
              <tr>
                <th>Workflow</th>
                <th>Executions</th>
                <th>Success rate</th>
                <th>Failed</th>
                <th>Average</th>
              </tr>
            </thead>
            <tbody>
              {items.map((each) => {
                const what = { from, to, workflowId: each.workflowId, trigger: asked.trigger };
                return (
                  <tr key={each.workflowId}>
                    <th scope="row">
                      <Link to={`/automation/workflows/${each.workflowId}`} className={classes.name}>
                        {each.workflowName}
                      </Link>
                      <span className={classes.share} aria-hidden>
                        <span style={{ width: `${(each.total / most) * 100}%` }} />
                      </span>
                    </th>
                    <td>
                      <Count count={each.total} to={listOf(what)} />
                    </td>
                    <td>
                      {each.successRate === null ? (
                        rateText(null)
                      ) : (
                        <Link to={listOf(what, ['completed', 'failed'])} className="numbers">
                          {rateText(each.successRate)}
                        </Link>
                      )}
                    </td>
                    <td>
                      <Count count={each.failed} to={listOf(what, ['failed'])} />
                    </td>
                    <td>
                      {each.averageDurationMs === null ? (
                        durationOr(null)
                      ) : (
                        <Link to={listOf(what, ENDED)}>{durationOr(each.averageDurationMs)}</Link>
                      )}
                    </td>
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
