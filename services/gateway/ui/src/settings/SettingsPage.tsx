/** Who may do what, whom Runyard tells, what it keeps, and how well it is: a section for each, with an address of its own. */
import { Button, Loader, Menu } from '@mantine/core';
import { IconChevronDown, IconLock, IconMapOff } from '@tabler/icons-react';
import { Suspense } from 'react';
import { Link, useParams } from 'react-router';
import { useSession } from '@/api/session';
import { EmptyState } from '@/ui/EmptyState';
import { Page, Panel } from '@/ui/Page';
import classes from './SettingsPage.module.css';
import { SECTIONS, type SettingsSection } from './sections';

export function SettingsPage() {
  const { section: id = 'profile' } = useParams();
  const { permissions } = useSession();
  const allowed = SECTIONS.filter((each) => each.permission === null || permissions.includes(each.permission));
  const section = SECTIONS.find((each) => each.id === id);
  return (
    <Page
      title={section ? `${section.label} · Settings` : 'Settings'}
      heading={<h1 className={classes.title}>Settings</h1>}
    >
      <div className={classes.columns}>
        <nav className={classes.nav} aria-label="Settings">
          {allowed.map(({ id: each, label, icon: Icon, Count }) => (
            <Link
              key={each}
              to={`/settings/${each}`}
              className={classes.link}
              aria-current={each === id ? 'page' : undefined}
            >
              <Icon size={16} stroke={1.8} aria-hidden />
              {label}
              {Count && <Count />}
            </Link>
          ))}
        </nav>
        <Choice allowed={allowed} section={section} />
        <div className={classes.content}>
          <Content section={section} allowed={section !== undefined && allowed.includes(section)} />
        </div>
      </div>
    </Page>
  );
}

/** The same where there is no room beside the content. */
function Choice({ allowed, section }: { allowed: readonly SettingsSection[]; section: SettingsSection | undefined }) {
  const Icon = section?.icon;
  return (
    <Menu width="target">
      <Menu.Target>
        <Button
          className={classes.choice}
          classNames={{ label: classes.chosen ?? '' }}
          variant="default"
          fullWidth
          justify="space-between"
          leftSection={Icon && <Icon size={16} stroke={1.8} aria-hidden />}
          rightSection={<IconChevronDown size={16} aria-hidden />}
        >
          <span className="visually-hidden">Section: </span>
          {section?.label ?? 'Choose a section'}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {allowed.map(({ id, label, icon: Each, Count }) => (
          <Menu.Item
            key={id}
            component={Link}
            to={`/settings/${id}`}
            aria-current={id === section?.id ? 'page' : undefined}
            leftSection={<Each size={16} stroke={1.8} aria-hidden />}
            rightSection={Count && <Count />}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Content({ section, allowed }: { section: SettingsSection | undefined; allowed: boolean }) {
  if (section === undefined) {
    return (
      <Panel>
        <EmptyState icon={IconMapOff} title="There is no such section">
          Choose one of those in the list.
        </EmptyState>
      </Panel>
    );
  }
  if (!allowed) {
    return (
      <Panel>
        <EmptyState icon={IconLock} title={`${section.label}: not for you to see`}>
          It needs the permission <code>{section.permission}</code>. Whoever looks after Runyard here can give it to
          you.
        </EmptyState>
      </Panel>
    );
  }
  return (
    <Suspense fallback={<Loader m="md" size="sm" aria-label={`${section.label} is loading`} />}>
      <section.Content key={section.id} />
    </Suspense>
  );
}
