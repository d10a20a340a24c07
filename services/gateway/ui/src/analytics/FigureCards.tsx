/** The figures of the whole range, each a link to what it counts. */
import { Tooltip } from '@mantine/core';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { Panel } from '@/ui/Page';
import { instantText } from '@/ui/time';
import classes from './FigureCards.module.css';
import { ACTIVE, type Asked, ENDED, listOf } from './range';
import type { Figures } from './useFigures';
import { changeText, durationOr, NONE, pointsText, rateText } from './words';

export function FigureCards({ figures, asked }: { figures: Figures; asked: Asked }) {
  const { summary, previous } = figures;
  const what = { from: summary.from, to: summary.to, workflowId: asked.workflowId, trigger: asked.trigger };
  const time = `${instantText(previous.from)} to ${instantText(previous.to)}`;
  const duration = (now: number | null, was: number | null) => (
    <Change text={changeText(now, was)} time={time} was={durationOr(was)} />
  );
  const ended = listOf(what, ENDED);
  return (
    <Panel className={classes.cards}>
      <Card
        label="Executions"
        value={summary.total.toLocaleString()}
        to={listOf(what)}
        change={
          <Change text={changeText(summary.total, previous.total)} time={time} was={previous.total.toLocaleString()} />
        }
      >
        <Part count={summary.active} words="active" to={listOf(what, ACTIVE)} />
        <Part count={summary.cancelled} words="cancelled" to={listOf(what, ['cancelled'])} />
      </Card>
      <Card
        label="Success rate"
        value={rateText(summary.successRate)}
        to={listOf(what, ['completed', 'failed'])}
        change={
          <Change
            text={pointsText(summary.successRate, previous.successRate)}
            good={(summary.successRate ?? 0) - (previous.successRate ?? 0)}
            time={time}
            was={rateText(previous.successRate)}
          />
        }
      >
        <Part count={summary.completed} words="completed" to={listOf(what, ['completed'])} />
        <Part count={summary.failed} words="failed" to={listOf(what, ['failed'])} />
      </Card>
      <Card
        label="Average duration"
        value={durationOr(summary.averageDurationMs)}
        to={ended}
        change={duration(summary.averageDurationMs, previous.averageDurationMs)}
      >
        of all that have ended
      </Card>
      <Card
        label="Median (p50)"
        value={durationOr(summary.p50DurationMs)}
        to={ended}
        change={duration(summary.p50DurationMs, previous.p50DurationMs)}
      >
        half of them took less
      </Card>
      <Card
        label="p95"
        value={durationOr(summary.p95DurationMs)}
        to={ended}
        change={duration(summary.p95DurationMs, previous.p95DurationMs)}
      >
        one in twenty took more
      </Card>
      <Card
        label="Active workflows"
        value={summary.activeWorkflows.toLocaleString()}
        to="/automation/workflows?state=active"
      >
        may run now, whatever the range
      </Card>
    </Panel>
  );
}

function Card({
  label,
  value,
  to,
  change,
  children,
}: {
  label: string;
  value: string;
  to: string;
  change?: ReactNode;
  children: ReactNode;
}) {
  return (
    <div className={classes.card}>
      <div className={classes.label}>{label}</div>
      <div className={classes.line}>
        {value === NONE ? (
          <span className={classes.value}>
            {NONE}
            <span className="visually-hidden"> nothing to say it of</span>
          </span>
        ) : (
          <Link to={to} className={classes.value} aria-label={`${label}: ${value}`}>
            {value}
          </Link>
        )}
        {change}
      </div>
      <div className={classes.parts}>{children}</div>
    </div>
  );
}

function Part({ count, words, to }: { count: number; words: string; to: string }) {
  return (
    <Link to={to} className={classes.part}>
      {count.toLocaleString()} {words}
    </Link>
  );
}

/** `good`: more than 0 if it is better than before; left out where neither is good or bad. */
function Change({ text, was, time, good = 0 }: { text: string | null; was: string; time: string; good?: number }) {
  if (text === null) return null;
  return (
    <Tooltip label={`${was} in as much time right before: ${time}`}>
      <span className={classes.change} data-good={good > 0 ? 'yes' : good < 0 ? 'no' : undefined}>
        {text}
        <span className="visually-hidden"> against {was} before</span>
      </span>
    </Tooltip>
  );
}
