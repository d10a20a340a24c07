import { notifications } from '@mantine/notifications';
import { problemOf } from '@/api/problem';

const CLOSE = { 'aria-label': 'Close the message' };

/** Something was done: one line, gone after a while. */
export function said(message: string): void {
  notifications.show({ message, color: 'ink', autoClose: 4000, closeButtonProps: CLOSE });
}

/** Something was not done, and why. Stays until it is closed. */
export function failed(what: string, error: unknown): void {
  const problem = problemOf(error);
  const reasons = problem.errors.map((each) => `${each.path}: ${each.message}`).join('\n');
  notifications.show({
    title: what,
    message: reasons ? `${problem.detail}\n${reasons}` : problem.detail,
    color: 'red',
    autoClose: false,
    withBorder: true,
    closeButtonProps: CLOSE,
  });
}
