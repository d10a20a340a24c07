import { Alert, Button, Group, List, Text } from '@mantine/core';
import { IconAlertTriangle, IconPlugConnectedX } from '@tabler/icons-react';
import { problemOf } from '@/api/problem';

/** What went wrong, in the API's own words, all of it, and a way to try again. */
export function ProblemAlert({ error, onRetry, title }: { error: unknown; onRetry?: () => void; title?: string }) {
  const problem = problemOf(error);
  const Icon = problem.unreachable ? IconPlugConnectedX : IconAlertTriangle;
  return (
    <Alert color="red" variant="light" icon={<Icon aria-hidden />} title={title ?? problem.title} role="alert">
      <Text size="sm">{problem.detail}</Text>
      {problem.errors.length > 0 && (
        <List size="sm" mt="xs">
          {problem.errors.map((each) => (
            <List.Item key={`${each.path} ${each.message}`}>
              <code>{each.path}</code> {each.message}
            </List.Item>
          ))}
        </List>
      )}
      {onRetry && (
        <Group mt="sm">
          <Button size="xs" variant="default" onClick={onRetry}>
            Try again
          </Button>
        </Group>
      )}
    </Alert>
  );
}
