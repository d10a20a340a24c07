import { Skeleton } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api, take } from '@/api/client';
import { Distance } from '@/ui/Instant';
import { ProblemAlert } from '@/ui/ProblemAlert';
import classes from './Triggers.module.css';

const SHOWN = 10;

/** When a schedule comes next, in its own time zone, and what the change of clocks does to it (R50). */
export function SchedulePreview({ cron, timezone }: { cron: string; timezone: string }) {
  const preview = useQuery({
    queryKey: ['schedulePreview', cron, timezone],
    queryFn: ({ signal }) =>
      take(api.POST('/api/v1/schedules/preview', { body: { cron, timezone, count: SHOWN }, signal })),
    placeholderData: keepPreviousData,
  });
  if (preview.isError) return <ProblemAlert error={preview.error} title="This schedule never comes" />;
  if (preview.isPending) return <Skeleton height={24 * SHOWN} />;
  return (
    <table className={classes.preview}>
      <thead>
        <tr>
          <th>{timezone}</th>
          <th>From now</th>
        </tr>
      </thead>
      <tbody>
        {preview.data.items.map((each) => (
          <tr key={each.at}>
            <td>
              {localWords(each.local)}
              {each.remark && <div className={classes.remark}>{each.remark}</div>}
            </td>
            <td>
              <Distance at={each.at} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** `2026-11-24T06:00:00+01:00`: Tue 24 Nov 2026, 06:00 +01:00. The browser's own zone must not get into it. */
export function localWords(local: string): string {
  const [, day = '', clock = '', , offset = ''] = /^(.{10})T(\d\d:\d\d)(:[\d.]+)?(.*)$/.exec(local) ?? [];
  if (day === '') return local;
  const words = new Date(`${day}T00:00:00Z`).toLocaleDateString(undefined, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    timeZone: 'UTC',
  });
  return `${words}, ${clock} ${offset === 'Z' ? 'UTC' : offset}`;
}
