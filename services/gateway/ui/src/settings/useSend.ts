import { type QueryKey, useMutation, useQueryClient } from '@tanstack/react-query';
import { useOnceKey } from '@/api/onceKey';
import { failed } from '@/ui/toast';

/**
 * A command of a form or a row. Sent again after a lost answer it has the same Idempotency-Key, and so is not done twice; what it
 * changes is read again. `failure`: what to tell where no form shows the problem.
 */
export function useSend<Sent, Answer>({
  send,
  changes,
  done,
  failure,
}: {
  send: (sent: Sent, header: { 'Idempotency-Key': string }) => Promise<Answer>;
  changes: QueryKey;
  done?: (answer: Answer, sent: Sent) => void | Promise<void>;
  failure?: (sent: Sent) => string;
}) {
  const client = useQueryClient();
  const once = useOnceKey();
  return useMutation({
    mutationFn: (sent: Sent) => send(sent, { 'Idempotency-Key': once.keyOf(sent) }),
    onSuccess: async (answer, sent) => {
      once.done();
      await done?.(answer, sent);
      await client.invalidateQueries({ queryKey: changes });
    },
    onError: (error, sent) => {
      if (failure) failed(failure(sent), error);
    },
  });
}
