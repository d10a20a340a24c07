/** The workflow itself: what it is called, what a run asks for, what starts it. */
import { Tabs, Title } from '@mantine/core';
import { useParam, useSetParams } from '@/ui/params';
import { problemsBelow } from '@/ui/schemaForm/paths';
import { inputsOf } from '../inputs';
import { valueAt } from '../text/parsed';
import { withValue } from '../text/splice';
import { Edges } from './Edges';
import { Fields } from './Fields';
import classes from './Form.module.css';
import { WORKFLOW_FIELDS } from './fields';
import { Inputs } from './Inputs';
import type { FormProps } from './props';
import { Triggers } from './Triggers';

/** The parts of the document that have a side of the form, as `?part=` and problems name them. */
export const PARTS = ['inputs', 'triggers'] as const;

export function OfWorkflow(props: FormProps) {
  const { parsed, problems, known, readOnly, edit, model } = props;
  const part = useParam('part') ?? 'about';
  const setParams = useSetParams();
  const { value } = parsed;
  const owner = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const source = model.nodes.find((node) => node.type === 'trigger');
  const triggers = valueAt(value, ['triggers']);
  const sides = [
    { value: 'about', label: 'The workflow', count: null },
    { value: 'inputs', label: 'Inputs', count: inputsOf(value).length },
    { value: 'triggers', label: 'Triggers', count: Array.isArray(triggers) ? triggers.length : 0 },
  ];
  return (
    <div className={classes.form}>
      <Title order={2} className={classes.heard}>
        The workflow
      </Title>
      <Tabs
        value={part}
        keepMounted={false}
        onChange={(next) => setParams({ part: next === 'about' ? null : next }, { replace: true })}
      >
        <Tabs.List mb="sm">
          {sides.map((each) => (
            <Tabs.Tab key={each.value} value={each.value}>
              {each.label}
              {each.count !== null && <span className={classes.count}>{each.count}</span>}
              {problemsBelow(each.value, problems).length > 0 && (
                <span className={classes.mark} role="img" aria-label="has problems" />
              )}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="about">
          <p className={classes.does}>Select a node or an edge to see its fields here.</p>
          <Fields
            fields={WORKFLOW_FIELDS}
            owner={owner}
            problems={problems}
            known={known}
            readOnly={readOnly}
            onChange={(name, next) =>
              edit((text) => withValue(text, [name], next, name === 'description' ? 'name' : undefined), true)
            }
          />
          {source && <Edges {...props} node={source} />}
        </Tabs.Panel>
        <Tabs.Panel value="inputs">
          <Inputs {...props} />
        </Tabs.Panel>
        <Tabs.Panel value="triggers">
          <Triggers {...props} />
        </Tabs.Panel>
      </Tabs>
    </div>
  );
}
