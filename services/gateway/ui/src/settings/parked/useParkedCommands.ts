/** What can be done with parked messages, one or several, after the question that says what it means. */
import { useState } from 'react';
import { api, take } from '@/api/client';
import type { ParkedMessage } from '@/api/types';
import { together } from '@/executions/bulk';
import { confirm } from '@/ui/confirm';
import { failed, said } from '@/ui/toast';
import { useReread } from './queries';

type Some = readonly Pick<ParkedMessage, 'messageId' | 'queue'>[];

export function useParkedCommands() {
  const reread = useReread();
  const [busy, setBusy] = useState<'retry' | 'drop' | null>(null);

  const command = async (what: 'retry' | 'drop', some: Some, one: string, done: string, not: string) => {
    const each = ({ messageId }: { messageId: string }) => {
      const params = { path: { messageId } };
      return what === 'retry'
        ? take(api.POST('/api/v1/parked-messages/{messageId}/retry', { params }))
        : take(api.DELETE('/api/v1/parked-messages/{messageId}', { params }));
    };
    setBusy(what);
    try {
      const [first] = some;
      if (some.length === 1 && first) {
        await each(first);
        said(one);
      } else said(await together(some, done, each));
    } catch (error) {
      failed(not, error);
    } finally {
      setBusy(null);
      await reread();
    }
  };

  return {
    busy,
    /** Whether it was done: whoever was asked may leave it. */
    retry: async (some: Some): Promise<boolean> => {
      const queues = new Set(some.map((each) => each.queue));
      const [queue] = queues;
      const yes = await confirm({
        title: `Send ${counted(some.length)} again?`,
        body: `${some.length === 1 ? 'It goes' : 'Each goes'} to the queue it came for${
          queues.size === 1 ? ` (${queue})` : ''
        }. Do so once the cause is mended: what still cannot be handled comes back here, with its newest reason. To send it twice does no harm.`,
        action: 'Send again',
      });
      if (yes) {
        await command(
          'retry',
          some,
          'The message was sent again. If it still cannot be handled, it comes back to this list.',
          'Sent again',
          'The message is still parked',
        );
      }
      return yes;
    },
    drop: async (some: Some): Promise<boolean> => {
      const yes = await confirm({
        title: `Drop ${counted(some.length)}?`,
        body: `${
          some.length === 1 ? 'It' : 'They'
        } will never be handled, and what was in ${some.length === 1 ? 'it' : 'them'} is forgotten at once: whatever was waiting for it goes on waiting. For 30 days the list tells what was dropped, when and by whom.`,
        action: 'Drop for good',
        dangerous: true,
      });
      if (yes) await command('drop', some, 'The message was dropped.', 'Dropped', 'The message is still parked');
      return yes;
    },
  };
}

export function counted(count: number): string {
  return count === 1 ? 'this message' : `${count.toLocaleString()} messages`;
}
