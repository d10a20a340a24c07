import { Skeleton, UnstyledButton } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { Link } from 'react-router';
import { Panel } from '@/ui/Page';
import classes from './AnalyticsPage.module.css';
import { type Asked, listOf } from './range';
import { SERIES, type Series } from './series';
import chart from './TrendChart.module.css';
import type { Figures, Trend } from './useFigures';
import { intervalText, rateText } from './words';

const TrendChart = lazy(() => import('./TrendChart'));
const TITLES = { hour: 'By hour', day: 'By day', week: 'By week' } as const;

export function TrendPanel({ figures, asked }: { figures: Figures; asked: Asked }) {
  const { trends, summary } = figures;
  const [asTable, setAsTable] = useState(false);
  const { workflowId, trigger } = asked;
  const addressOf = ({ from, to }: { from: string; to: string }, series: Series) =>
    listOf({ from, to, workflowId, trigger }, [...series.statuses]);
  return (
    <Panel className={classes.panel}>
      <div className={classes.head}>
        <h2>{TITLES[trends.interval]}</h2>
        <ul className={classes.legend}>
          {SERIES.map((series) => (
            <li key={series.key}>
              <span className={chart.swatch} data-series={series.key} aria-hidden />
              <Link to={addressOf(summary, series)}>
                {series.label} {summary[series.key].toLocaleString()}
              </Link>
            </li>
          ))}
        </ul>
        <UnstyledButton className={classes.toggle} aria-expanded={asTable} onClick={() => setAsTable(!asTable)}>
          {asTable ? 'Hide the table' : 'Show as a table'}
        </UnstyledButton>
      </div>
      <Suspense fallback={<Skeleton height={260} />}>
        <TrendChart trends={trends} addressOf={addressOf} />
      </Suspense>
      {asTable && <TrendTable figures={figures} addressOf={addressOf} asked={asked} />}
    </Panel>
  );
}

function TrendTable({
  figures,
  asked,
  addressOf,
}: {
  figures: Figures;
  asked: Asked;
  addressOf: (item: Trend, series: Series) => string;
}) {
  const { trends } = figures;
  const { workflowId, trigger } = asked;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by keys
    <section className={classes.scroll} tabIndex={0} aria-label={`Executions ${TITLES[trends.interval].toLowerCase()}`}>
      <table className={classes.figures}>
        <thead>
          <tr>
            <th>Beginning</th>
            {SERIES.map((series) => (
              <th key={series.key}>{series.label}</th>
            ))}
            <th>All</th>
            <th>Success rate</th>
          </tr>
        </thead>
        <tbody>
          {[...trends.items].reverse().map((item) => (
            <tr key={item.from}>
              <th scope="row">{intervalText(item.local, trends.interval, true)}</th>
              {SERIES.map((series) => (
                <td key={series.key}>
                  <Count count={item[series.key]} to={addressOf(item, series)} />
                </td>
              ))}
              <td>
                <Count count={item.total} to={listOf({ from: item.from, to: item.to, workflowId, trigger })} />
              </td>
              <td>{rateText(item.successRate)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Nothing is no link: the list would be empty. */
export function Count({ count, to }: { count: number; to: string }) {
  return count === 0 ? (
    <span className={classes.zero}>0</span>
  ) : (
    <Link to={to} className="numbers">
      {count.toLocaleString()}
    </Link>
  );
}
