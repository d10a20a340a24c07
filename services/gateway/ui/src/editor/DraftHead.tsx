/** Above the editor: how the draft stands, and what can be done with it. */
import { Badge, Button, Group, Menu } from '@mantine/core';
import { IconChevronDown, IconDeviceFloppy, IconPlayerPlay, IconUpload } from '@tabler/icons-react';
import { Link } from 'react-router';
import { Instant } from '@/ui/Instant';
import classes from './Editor.module.css';
import type { Draft } from './useDraft';

export function DraftState({ draft: { base, dirty } }: { draft: Draft }) {
  return (
    <Group gap={6} role="status">
      {base.workflowId === null ? (
        <Badge variant="default" tt="none">
          Not saved yet
        </Badge>
      ) : dirty ? (
        <Badge variant="default" tt="none" style={{ color: 'var(--ry-amber)', background: 'var(--ry-amber-ground)' }}>
          Unsaved changes
        </Badge>
      ) : (
        base.savedAt !== null && (
          <span className={classes.state}>
            Draft saved <Instant at={base.savedAt} /> by {base.savedBy}
          </span>
        )
      )}
      {base.workflowId !== null && (
        <span className={classes.state}>
          {base.publishedVersion === null
            ? 'Never published'
            : `Version ${base.publishedVersion} ${base.active ? 'is active' : 'is published, not active'}`}
        </span>
      )}
    </Group>
  );
}

export function DraftCommands({
  draft,
  refusal,
  mayExecute,
  narrow,
}: {
  draft: Draft;
  /** Why it cannot be published. */
  refusal: string | null;
  mayExecute: boolean;
  narrow: boolean;
}) {
  const { base, busy } = draft;
  const size = narrow ? 'xs' : 'sm';
  // what runs already is not to be published again; activating it is something else
  const done = draft.upToDate && base.active;
  const waits = busy !== null || refusal !== null || done;
  const canRun = mayExecute && base.publishedVersion !== null && base.active && !base.archived;
  return (
    <Group gap="xs">
      <Button
        size={size}
        variant="default"
        leftSection={<IconDeviceFloppy size={16} aria-hidden />}
        loading={busy === 'save'}
        disabled={!draft.dirty || busy !== null}
        onClick={draft.save}
        title="Ctrl+S"
      >
        Save
      </Button>
      <Button.Group>
        <Button
          size={size}
          leftSection={<IconUpload size={16} aria-hidden />}
          loading={busy === 'publish' || busy === 'activate'}
          disabled={waits}
          title={refusal ?? (done ? `Version ${base.publishedVersion} is this text` : undefined)}
          onClick={() => draft.publish(!base.active)}
        >
          {base.active ? (done ? 'Published' : 'Publish') : 'Publish and activate'}
        </Button>
        {!base.active && (
          <Menu position="bottom-end">
            <Menu.Target>
              <Button size={size} px={8} disabled={waits} aria-label="Other ways to publish">
                <IconChevronDown size={16} aria-hidden />
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={() => draft.publish(false)}>Publish, and do not activate</Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </Button.Group>
      {canRun && (
        <Button
          component={Link}
          to={`/automation/workflows/${base.workflowId}?run=1`}
          size={size}
          variant={done ? 'filled' : 'default'}
          leftSection={<IconPlayerPlay size={16} aria-hidden />}
        >
          Run
        </Button>
      )}
    </Group>
  );
}
