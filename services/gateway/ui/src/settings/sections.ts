/** The sections of the settings: their addresses, what one needs to see each, and what shows it. */
import {
  IconActivity,
  IconArchive,
  IconBell,
  IconBuilding,
  IconHistory,
  IconInfoCircle,
  IconKey,
  IconParking,
  IconShield,
  IconUser,
  IconUsers,
  type TablerIcon,
} from '@tabler/icons-react';
import type { ComponentType, LazyExoticComponent } from 'react';
import type { Permission } from '@/api/types';
import { lazyPart } from '@/ui/lazyPart';
import { ParkedCount } from './parked/ParkedCount';

export interface SettingsSection {
  id: string;
  label: string;
  icon: TablerIcon;
  /** null: for everybody. */
  permission: Permission | null;
  Content: LazyExoticComponent<ComponentType>;
  /** How much of it waits for somebody, beside its name. */
  Count?: ComponentType;
}

export const SECTIONS: readonly SettingsSection[] = [
  {
    id: 'profile',
    label: 'Profile',
    icon: IconUser,
    permission: null,
    Content: lazyPart(async () => (await import('./profile/Profile')).Profile),
  },
  {
    id: 'users',
    label: 'Users',
    icon: IconUsers,
    permission: 'automation:admin',
    Content: lazyPart(async () => (await import('./users/Users')).Users),
  },
  {
    id: 'roles',
    label: 'Roles',
    icon: IconShield,
    permission: 'automation:admin',
    Content: lazyPart(async () => (await import('./roles/Roles')).Roles),
  },
  {
    id: 'api-keys',
    label: 'API keys',
    icon: IconKey,
    permission: 'automation:admin',
    Content: lazyPart(async () => (await import('./apiKeys/ApiKeys')).ApiKeys),
  },
  {
    id: 'channels',
    label: 'Notification channels',
    icon: IconBell,
    permission: 'automation:manage',
    Content: lazyPart(async () => (await import('./channels/Channels')).Channels),
  },
  {
    id: 'audit',
    label: 'Audit log',
    icon: IconHistory,
    permission: 'automation:admin',
    Content: lazyPart(async () => (await import('./audit/AuditLog')).AuditLog),
  },
  {
    id: 'retention',
    label: 'Retention',
    icon: IconArchive,
    permission: 'automation:view',
    Content: lazyPart(async () => (await import('./retention/RetentionSettings')).RetentionSettings),
  },
  {
    id: 'read-models',
    label: 'Read models',
    icon: IconActivity,
    permission: 'automation:view',
    Content: lazyPart(async () => (await import('./readModels/ReadModels')).ReadModels),
  },
  {
    id: 'parked-messages',
    label: 'Parked messages',
    icon: IconParking,
    permission: 'automation:installation',
    Content: lazyPart(async () => (await import('./parked/ParkedMessages')).ParkedMessages),
    Count: ParkedCount,
  },
  {
    id: 'tenants',
    label: 'Tenants',
    icon: IconBuilding,
    permission: 'automation:installation',
    Content: lazyPart(async () => (await import('./tenants/Tenants')).Tenants),
  },
  {
    id: 'about',
    label: 'About',
    icon: IconInfoCircle,
    permission: null,
    Content: lazyPart(async () => (await import('./about/About')).About),
  },
];
