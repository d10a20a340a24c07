/** What is around every page: where one can go, what waits for me, who I am. */

import { ActionIcon, Burger, Text, Tooltip, useMantineColorScheme } from '@mantine/core';
import {
  IconBolt,
  IconChartBar,
  IconHandStop,
  IconLogout,
  IconMoon,
  IconPlugConnected,
  IconRoute,
  IconServer2,
  IconSettings,
  IconSun,
  IconSunMoon,
  type TablerIcon,
} from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, Suspense, useEffect, useState } from 'react';
import { Link, NavLink, useLocation, useNavigate } from 'react-router';
import { api, setCsrfToken, take } from '@/api/client';
import { SESSION_KEY, useSession } from '@/api/session';
import { CountBadge } from '@/ui/CountBadge';
import { lazyPart } from '@/ui/lazyPart';
import { useShortcuts } from '@/ui/shortcuts';
import { failed } from '@/ui/toast';
import favicon from './favicon.svg';
import classes from './Shell.module.css';
import { useWaitingForMe } from './waitingForMe';

const ShortcutsDialog = lazyPart(async () => (await import('./ShortcutsDialog')).ShortcutsDialog);

interface Place {
  to: string;
  label: string;
  icon: TablerIcon;
  key: string;
}

const PLACES: readonly Place[] = [
  { to: '/automation/executions', label: 'Executions', icon: IconBolt, key: 'g e' },
  { to: '/automation/approvals', label: 'Approvals', icon: IconHandStop, key: 'g p' },
  { to: '/automation/workflows', label: 'Workflows', icon: IconRoute, key: 'g w' },
  { to: '/automation/analytics', label: 'Analytics', icon: IconChartBar, key: 'g a' },
  { to: '/automation/agents', label: 'Agents', icon: IconServer2, key: 'g s' },
  { to: '/automation/connections', label: 'Connections', icon: IconPlugConnected, key: 'g c' },
  { to: '/settings', label: 'Settings', icon: IconSettings, key: 'g x' },
];

export function Shell({ children }: { children: ReactNode }) {
  const [opened, setOpened] = useState(false);
  const [keys, setKeys] = useState(false);
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const waiting = useWaitingForMe();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page was opened
  useEffect(() => setOpened(false), [pathname]);
  useShortcuts([
    ...PLACES.map((place) => ({ key: place.key, does: `Go to ${place.label}`, run: () => navigate(place.to) })),
    { key: '?', does: 'Show these keys', run: () => setKeys(true) },
  ]);
  return (
    <div className={classes.shell}>
      <a className={classes.skip} href="#content">
        Skip to the content
      </a>
      <div className={classes.bar}>
        <Burger
          opened={opened}
          onClick={() => setOpened(!opened)}
          size="sm"
          aria-label="Navigation"
          aria-expanded={opened}
        />
        <Brand />
      </div>
      <button
        type="button"
        className={classes.cover}
        data-opened={opened}
        aria-label="Close the navigation"
        onClick={() => setOpened(false)}
      />
      <nav className={classes.nav} data-opened={opened} aria-label="Main">
        <Brand />
        {PLACES.map(({ to, label, icon: Icon }) => (
          <NavLink key={to} to={to} className={classes.link}>
            <Icon size={18} stroke={1.8} aria-hidden />
            {label}
            {to === '/automation/approvals' && waiting !== null && waiting.waiting > 0 && (
              <CountBadge count={waiting.waiting} more={waiting.more} what="waiting for you" />
            )}
          </NavLink>
        ))}
        <Foot />
      </nav>
      <main id="content" className={classes.main} tabIndex={-1}>
        {children}
      </main>
      {keys && (
        <Suspense>
          <ShortcutsDialog onClose={() => setKeys(false)} />
        </Suspense>
      )}
    </div>
  );
}

function Brand() {
  return (
    <Link to="/automation/executions" className={classes.brand}>
      <img src={favicon} width={22} height={22} alt="" />
      Runyard
    </Link>
  );
}

function Foot() {
  const session = useSession();
  const client = useQueryClient();
  const signOut = async () => {
    try {
      await take(api.DELETE('/api/v1/session'));
    } catch (error) {
      failed('You are still signed in', error);
      return;
    }
    setCsrfToken(null);
    // Only then what was seen: a query that is looked at, and was removed, would not hear that nobody is signed in.
    client.setQueryData(SESSION_KEY, null);
    client.removeQueries({ predicate: (query) => query.queryKey[0] !== SESSION_KEY[0] });
  };
  return (
    <div className={classes.foot}>
      <div className={classes.who}>
        <Text size="sm" fw={600} truncate title={session.name}>
          {session.name}
        </Text>
        <Text size="xs" c="dimmed" truncate title={session.tenantId}>
          {session.tenantId}
        </Text>
      </div>
      <SchemeButton />
      <Tooltip label="Sign out">
        <ActionIcon variant="subtle" color="gray" onClick={signOut} aria-label="Sign out">
          <IconLogout size={16} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}

const SCHEMES = {
  auto: ['light', IconSunMoon, 'as the system'],
  light: ['dark', IconSun, 'light'],
  dark: ['auto', IconMoon, 'dark'],
} as const;

function SchemeButton() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const [next, Icon, words] = SCHEMES[colorScheme];
  const label = `Colours: ${words}`;
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" onClick={() => setColorScheme(next)} aria-label={label}>
        <Icon size={16} />
      </ActionIcon>
    </Tooltip>
  );
}
