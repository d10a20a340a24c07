import { CountBadge } from '@/ui/CountBadge';
import { useParkedCount } from './queries';

/** Beside the name of the section: how many messages wait for somebody to do something. */
export function ParkedCount() {
  const { data } = useParkedCount();
  return data?.count ? <CountBadge count={data.count} more={data.more} what="waiting" tone="amber" /> : null;
}
