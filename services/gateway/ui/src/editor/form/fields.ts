/** Which fields the form shows of each type of node, and by which controls. */

export type Control =
  | { kind: 'text'; lines?: number; code?: boolean }
  | { kind: 'number'; min?: number; max?: number; whole?: boolean }
  | { kind: 'yesNo'; normally: boolean }
  | { kind: 'choice'; options: readonly string[]; normally: string }
  | { kind: 'texts' }
  /** Some of those that there are. */
  | { kind: 'some'; options: readonly string[] }
  /** One of these, or none. */
  | { kind: 'pick'; options: readonly (string | number | boolean)[] }
  /** Several, one on each line, in the order in which they stand. */
  | { kind: 'options' | 'cases' }
  /** Of a trigger: which incidents. */
  | { kind: 'incidentCondition' }
  /** Of a node: which way. */
  | { kind: 'condition' }
  /** What an expression looks at; mostly a path. */
  | { kind: 'path' }
  /** Anything, in YAML's notation. */
  | { kind: 'yaml' }
  | { kind: 'connection' | 'pool' | 'workflow' | 'params' | 'workflowInputs' | 'values' | 'items' };

export interface Field {
  name: string;
  label: string;
  control: Control;
  required?: boolean;
  /** What holds without it. */
  placeholder?: string;
  /** Its label says all. */
  plain?: boolean;
  /** Below the fold. */
  more?: boolean;
}

const text = (lines = 1, code = false): Control => ({ kind: 'text', lines, code });
const seconds: Control = { kind: 'number', min: 0 };
const CRITICAL: Field = {
  name: 'critical',
  label: 'Critical: its failure fails the execution',
  control: { kind: 'yesNo', normally: true },
};

export const NODE_FIELDS: Readonly<Record<string, readonly Field[]>> = {
  action: [
    { name: 'params', label: 'Parameters', control: { kind: 'params' } },
    { name: 'connection', label: 'Connection', control: { kind: 'connection' } },
    { name: 'timeoutSeconds', label: 'Timeout, seconds', control: seconds, placeholder: 'none' },
    {
      name: 'maxRetries',
      label: 'Retries',
      control: { kind: 'number', min: 0, max: 100, whole: true },
      placeholder: '0',
    },
    { name: 'retryDelaySeconds', label: 'Delay between attempts, seconds', control: seconds, placeholder: '0' },
    CRITICAL,
    { name: 'pool', label: 'Pool', control: { kind: 'pool' }, placeholder: 'default', more: true },
    { name: 'tags', label: 'Tags the agent must have', control: { kind: 'texts' }, more: true },
    { name: 'agent', label: 'Only this agent', control: text(), more: true },
    {
      name: 'backoff',
      label: 'Backoff',
      control: { kind: 'choice', options: ['fixed', 'exponential'], normally: 'fixed' },
      more: true,
    },
    { name: 'maxDelaySeconds', label: 'Longest delay, seconds', control: seconds, placeholder: '3600', more: true },
    { name: 'jitter', label: 'Jitter', control: { kind: 'number', min: 0, max: 1 }, placeholder: '0', more: true },
    {
      name: 'queueTimeoutSeconds',
      label: 'Longest wait for an agent, seconds',
      control: seconds,
      placeholder: 'no limit',
      more: true,
    },
  ],
  approval: [
    { name: 'message', label: 'Message', control: text(3), required: true },
    { name: 'approvers', label: 'Approvers', control: { kind: 'texts' }, placeholder: 'anyone who may execute' },
    {
      name: 'minApprovals',
      label: 'Approvals needed',
      control: { kind: 'number', min: 1, max: 100, whole: true },
      placeholder: '1',
    },
    { name: 'timeoutSeconds', label: 'Timeout, seconds', control: seconds, placeholder: 'waits for ever' },
    {
      name: 'preventSelfApproval',
      label: 'Not by whoever started the execution',
      control: { kind: 'yesNo', normally: false },
    },
    { name: 'remindAfterSeconds', label: 'Remind after, seconds', control: seconds, placeholder: 'never', more: true },
    {
      name: 'escalateAfterSeconds',
      label: 'Escalate after, seconds',
      control: seconds,
      placeholder: 'never',
      more: true,
    },
    { name: 'escalateTo', label: 'Escalate to', control: { kind: 'texts' }, more: true },
    { name: 'channels', label: 'Channels', control: { kind: 'texts' }, placeholder: 'all', more: true },
  ],
  condition: [{ name: 'expression', label: 'Expression', control: { kind: 'condition' }, required: true }],
  switch: [
    { name: 'expression', label: 'Expression', control: { kind: 'path' }, required: true },
    { name: 'cases', label: 'Cases', control: { kind: 'cases' }, required: true },
  ],
  delay: [
    { name: 'seconds', label: 'Seconds', control: seconds },
    { name: 'until', label: 'Or until (expression)', control: text(2, true) },
  ],
  parallel: [],
  join: [
    {
      name: 'mode',
      label: 'Goes on when',
      control: { kind: 'choice', options: ['all', 'any', 'count'], normally: 'all' },
    },
    { name: 'count', label: 'So many have come', control: { kind: 'number', min: 1, whole: true } },
  ],
  forEach: [
    { name: 'items', label: 'Items: an expression, or a list in [ ]', control: { kind: 'items' }, required: true },
    {
      name: 'concurrency',
      label: 'At once',
      control: { kind: 'number', min: 1, max: 1000, whole: true },
      placeholder: '1',
    },
    {
      name: 'onItemError',
      label: 'When one fails',
      control: { kind: 'choice', options: ['stop', 'continue'], normally: 'stop' },
    },
    CRITICAL,
  ],
  subworkflow: [
    { name: 'workflow', label: 'Workflow', control: { kind: 'workflow' }, required: true },
    { name: 'inputs', label: 'Inputs', control: { kind: 'workflowInputs' } },
    CRITICAL,
  ],
  setVariables: [{ name: 'values', label: 'Values', control: { kind: 'values' }, required: true }],
  errorHandler: [],
};

const INCIDENT_EVENTS = ['created', 'acknowledged', 'resolved', 'escalated', 'reassigned'].map(
  (each) => `incident.${each}`,
);

export const TRIGGER_FIELDS: Readonly<Record<string, readonly Field[]>> = {
  manual: [],
  schedule: [
    { name: 'cron', label: 'Cron', control: text(1, true), required: true },
    { name: 'timezone', label: 'Time zone', control: text(), placeholder: 'UTC' },
    {
      name: 'overlap',
      label: 'While the one before runs',
      control: { kind: 'choice', options: ['allow', 'skip', 'cancelPrevious'], normally: 'allow' },
      plain: true,
    },
    {
      name: 'catchUp',
      label: 'After an outage',
      control: { kind: 'choice', options: ['latest', 'all', 'none'], normally: 'latest' },
      plain: true,
    },
  ],
  webhook: [{ name: 'id', label: 'Id', control: text(), required: true }],
  incident: [
    { name: 'events', label: 'Events', control: { kind: 'some', options: INCIDENT_EVENTS }, required: true },
    { name: 'condition', label: 'Only if', control: { kind: 'incidentCondition' } },
  ],
};

export const WORKFLOW_FIELDS: readonly Field[] = [
  { name: 'name', label: 'Name', control: text(), required: true },
  { name: 'description', label: 'Description', control: text(2) },
  { name: 'timeoutSeconds', label: 'Timeout, seconds', control: seconds, placeholder: 'none', more: true },
];
