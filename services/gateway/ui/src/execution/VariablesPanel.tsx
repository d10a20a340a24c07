/** Everything that templates and conditions can read, under the names by which they read it (R16). */
import { Text, Title } from '@mantine/core';
import { useMemo } from 'react';
import { JsonTree } from '@/ui/JsonTree';
import { Panel } from '@/ui/Page';
import { useActive, useExecution } from './store';
import classes from './Variables.module.css';
import { variablesOf } from './variables';

export function VariablesPanel() {
  const detail = useExecution();
  const active = useActive();
  const { inputs, vars } = useMemo(() => variablesOf(detail), [detail]);
  const outputs = detail.nodes.filter((node) => node.output !== null && node.output !== undefined);
  return (
    <div className={classes.groups}>
      <Group title="Inputs" hint={<>Read as {path('inputs.name')}.</>}>
        {Object.keys(inputs).length === 0 ? <None>This run has no inputs.</None> : tree(inputs)}
      </Group>
      <Group title="Variables" hint={<>Set by nodes on the way, read as {path('vars.name')}.</>}>
        {Object.keys(vars).length === 0 ? (
          <None>{active ? 'No node has set a variable so far.' : 'No node set a variable.'}</None>
        ) : (
          tree(vars)
        )}
      </Group>
      <Group title="Node outputs" hint={<>Read as {path('nodes.id.output')}. Secrets are never in an output.</>}>
        {outputs.length === 0 ? (
          <None>{active ? 'No node has an output yet.' : 'No node left an output.'}</None>
        ) : (
          outputs.map((node) => <JsonTree key={node.nodeId} name={node.nodeId} value={node.output} />)
        )}
      </Group>
      <Group title="Trigger" hint={<>What started the execution, read as {path('trigger')}.</>}>
        {tree(Object.fromEntries(Object.entries(detail.trigger).filter(([, value]) => value !== null)))}
      </Group>
    </div>
  );
}

function tree(values: Record<string, unknown>) {
  return Object.entries(values).map(([name, value]) => <JsonTree key={name} name={name} value={value} />);
}

function path(text: string) {
  return <code>{`{{ ${text} }}`}</code>;
}

function None({ children }: { children: string }) {
  return (
    <Text size="sm" c="dimmed">
      {children}
    </Text>
  );
}

function Group({ title, hint, children }: { title: string; hint: React.ReactNode; children: React.ReactNode }) {
  return (
    <Panel className={classes.group}>
      <Title order={2}>{title}</Title>
      <p className={classes.hint}>{hint}</p>
      {children}
    </Panel>
  );
}
