/** What each kind of connection is for, in words; kinds that installed packages bring have their name only. */
import {
  IconApi,
  IconBrandSlack,
  IconBrandTeams,
  IconDatabase,
  IconKey,
  IconMail,
  IconPlugConnected,
  IconShip,
  IconTerminal2,
  type TablerIcon,
} from '@tabler/icons-react';
import { wordsOf } from '@/ui/schemaForm/schema';

export interface Kind {
  label: string;
  icon: TablerIcon;
  about: string;
}

const KINDS: Readonly<Record<string, Kind>> = {
  http: {
    label: 'HTTP',
    icon: IconApi,
    about:
      'Requests whose address begins with “/” go to the base URL. Its secrets are sent there and nowhere else: the token as a header, or user name and password.',
  },
  kubernetes: {
    label: 'Kubernetes',
    icon: IconShip,
    about: 'The API server of a cluster, and a service account’s token.',
  },
  postgresql: { label: 'PostgreSQL', icon: IconDatabase, about: 'A database that workflows ask.' },
  secrets: {
    label: 'Secrets',
    icon: IconKey,
    about: 'Named secrets for scripts, which get each as an environment variable of its name.',
  },
  slack: { label: 'Slack', icon: IconBrandSlack, about: 'An incoming webhook of a channel.' },
  smtp: { label: 'E-mail', icon: IconMail, about: 'The mail server that mails are sent by.' },
  ssh: {
    label: 'SSH',
    icon: IconTerminal2,
    about:
      'Hosts that commands run on. The host is for jobs that name none; known hosts are lines as in a known_hosts file, without them the agent’s own count.',
  },
  teams: { label: 'Teams', icon: IconBrandTeams, about: 'A workflow webhook of a channel.' },
};

export function kindOf(kind: string): Kind {
  return KINDS[kind] ?? { label: wordsOf(kind), icon: IconPlugConnected, about: '' };
}
