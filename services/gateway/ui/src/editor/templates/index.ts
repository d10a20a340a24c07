/** Workflows to begin with. Each is valid as it is, and does no harm on any machine. */
import approvedRestart from './approved-restart.yaml?raw';
import diskCleanup from './disk-cleanup.yaml?raw';
import eachHost from './each-host.yaml?raw';
import hello from './hello.yaml?raw';
import serviceCheck from './service-check.yaml?raw';

export interface Template {
  id: string;
  title: string;
  /** What it does, in a sentence. */
  does: string;
  text: string;
}

export const TEMPLATES: readonly Template[] = [
  { id: 'hello', title: 'Hello', does: 'One script on one agent: to see that everything works.', text: hello },
  {
    id: 'service-check',
    title: 'Service check',
    does: 'Asks a URL every five minutes, with retries, and raises an alarm when it does not answer.',
    text: serviceCheck,
  },
  {
    id: 'approved-restart',
    title: 'Approved restart',
    does: 'Waits until somebody agrees, restarts a service and looks whether it came back.',
    text: approvedRestart,
  },
  {
    id: 'each-host',
    title: 'For each host',
    does: 'The same steps for every host of a list, two at a time, and which of them failed.',
    text: eachHost,
  },
  {
    id: 'disk-cleanup',
    title: 'Disk clean-up',
    does: 'Every night: deletes old files if the disk is nearly full.',
    text: diskCleanup,
  },
];

/** The least that is a workflow. */
export const BLANK = `name: New workflow

triggers:
  - {type: manual}

nodes: []

edges: []
`;
