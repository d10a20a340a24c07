import { Button } from '@mantine/core';
import classes from './More.module.css';

/** The next page of a list, if there is one. */
export function More({
  list,
  what,
}: {
  list: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };
  what: string;
}) {
  if (!list.hasNextPage) return null;
  return (
    <div className={classes.more}>
      <Button variant="default" size="xs" loading={list.isFetchingNextPage} onClick={() => list.fetchNextPage()}>
        Show more {what}
      </Button>
    </div>
  );
}
