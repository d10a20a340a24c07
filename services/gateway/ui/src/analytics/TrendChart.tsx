/**
 * Executions over time as stacked bars. Heavy: loaded lazily. Everything in it stands in the table below it too, with links that
 * keys reach; a bar is a link for a pointer.
 */
import { useMemo } from 'react';
import { useNavigate } from 'react-router';
import { Bar, BarChart, CartesianGrid, Rectangle, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts';
import { SERIES, type Series } from './series';
import classes from './TrendChart.module.css';
import type { Trends } from './useFigures';
import { intervalText } from './words';

export default function TrendChart({
  trends,
  addressOf,
}: {
  trends: Trends;
  addressOf: (item: Trends['items'][number], series: Series) => string;
}) {
  const navigate = useNavigate();
  const data = useMemo(
    () => trends.items.map((item) => ({ ...item, label: intervalText(item.local, trends.interval) })),
    [trends],
  );
  return (
    <div className={classes.chart} aria-hidden>
      <ResponsiveContainer width="100%" height="100%">
        <BarChart
          data={data}
          accessibilityLayer={false}
          margin={{ top: 8, right: 8, bottom: 0, left: 0 }}
          barCategoryGap="18%"
        >
          <defs>
            {/* stripes: failures are told apart without their colour too */}
            <pattern id="trend-failed" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect width="6" height="6" fill="var(--ry-red)" />
              <rect width="2" height="6" fill="var(--ry-panel)" fillOpacity="0.45" />
            </pattern>
          </defs>
          <CartesianGrid vertical={false} stroke="var(--ry-line)" />
          <XAxis
            dataKey="label"
            tickLine={false}
            axisLine={{ stroke: 'var(--ry-line-strong)' }}
            tick={{ fill: 'var(--ry-ink-soft)', fontSize: 12 }}
            minTickGap={16}
            interval="preserveStartEnd"
          />
          <YAxis
            allowDecimals={false}
            width={44}
            tickLine={false}
            axisLine={false}
            tick={{ fill: 'var(--ry-ink-soft)', fontSize: 12 }}
          />
          <Tooltip
            cursor={{ fill: 'var(--ry-ink)', fillOpacity: 0.06 }}
            isAnimationActive={false}
            content={({ active, payload }) => {
              const item = payload?.[0]?.payload as (typeof data)[number] | undefined;
              if (!active || !item) return null;
              return (
                <div className={classes.tip}>
                  <b>{intervalText(item.local, trends.interval, true)}</b>
                  {SERIES.filter(({ key }) => item[key] > 0 || key !== 'active').map(({ key, label }) => (
                    <div key={key} className={classes.said}>
                      <span className={classes.swatch} data-series={key} />
                      {label}
                      <span className={classes.count}>{item[key].toLocaleString()}</span>
                    </div>
                  ))}
                </div>
              );
            }}
          />
          {SERIES.map((series) => (
            <Bar
              key={series.key}
              dataKey={series.key}
              stackId="all"
              fill={series.fill}
              isAnimationActive={false}
              maxBarSize={56}
              cursor="pointer"
              shape={(props: object) => <Rectangle {...props} stroke="var(--ry-panel)" strokeWidth={1} />}
              onClick={(_, index) => {
                const item = trends.items[index];
                if (item) navigate(addressOf(item, series));
              }}
            />
          ))}
        </BarChart>
      </ResponsiveContainer>
    </div>
  );
}
