import { Stack, Text, Title } from '@mantine/core';
import type { TablerIcon } from '@tabler/icons-react';
import type { ReactNode } from 'react';

/** Nothing to show, why, and what to do about it. */
export function EmptyState({ icon: Icon, title, children }: { icon: TablerIcon; title: string; children?: ReactNode }) {
  return (
    <Stack align="center" gap="xs" py={56} px="md" ta="center">
      <Icon size={36} stroke={1.4} color="var(--ry-ink-soft)" aria-hidden />
      <Title order={2}>{title}</Title>
      <Text component="div" c="dimmed" maw={520}>
        {children}
      </Text>
    </Stack>
  );
}
