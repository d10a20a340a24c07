import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from 'react-router';
import { api, take } from '@/api/client';
import { useOnceKey } from '@/api/onceKey';
import { Problem } from '@/api/problem';
import { useMay } from '@/api/session';
import { TEMPLATES, type Template } from '@/editor/templates';
import { ProblemAlert } from '@/ui/ProblemAlert';
import classes from './Checklist.module.css';
import type { Progress } from './progress';
import { firstWorkflows } from './queries';

/** A template becomes a workflow that runs, in one command: drafted, published and active, or nothing of it. */
export function WorkflowStep({
  progress: { workflow, current },
  names,
}: {
  progress: Progress;
  /** Of workflows that are there already: a template of the same name would change one of them. */
  names: ReadonlySet<string>;
}) {
  const may = useMay('automation:manage');
  const client = useQueryClient();
  const once = useOnceKey();
  const make = useMutation({
    mutationFn: async (template: Template) => {
      const { items, position } = await take(
        api.POST('/api/v1/workflows/import', {
          params: {
            query: { publish: true, activate: true },
            header: { 'Idempotency-Key': once.keyOf(template.text) },
          },
          body: template.text as never,
          bodySerializer: (body: unknown) => body as BodyInit,
          headers: { 'Content-Type': 'application/yaml' },
        }),
      );
      const refused = items.find((each) => each.outcome === 'refused');
      if (refused) throw new Problem(422, 'refused', 'Not made', 'The template was refused.', refused.problems);
      return position;
    },
    onSuccess: async (position) => {
      once.done();
      await client.fetchQuery({ ...firstWorkflows(position ?? undefined), staleTime: 0 });
      await client.invalidateQueries({ queryKey: ['workflows'] });
    },
  });
  if (workflow !== null) {
    return (
      <p className={classes.text}>
        <Link to={`/automation/workflows/${workflow.workflowId}`}>{workflow.name}</Link> is published and active.
      </p>
    );
  }
  if (current !== 'workflow') return null;
  if (!may)
    return <p className={classes.text}>It needs the permission automation:manage: ask whoever makes workflows here.</p>;
  return (
    <>
      <p className={classes.text}>
        None of them does harm. It is published and active at once, and yours to change; or{' '}
        <Link to="/automation/workflows/new">write one</Link>.
      </p>
      <ul className={classes.templates}>
        {TEMPLATES.filter((each) => !names.has(nameOf(each))).map((template, index) => (
          <li key={template.id} className={classes.template}>
            <b>{template.title}</b>
            <p>{template.does}</p>
            <div className={classes.buttons}>
              <Button
                size="xs"
                variant={index === 0 ? 'filled' : 'default'}
                loading={make.isPending && make.variables.id === template.id}
                disabled={make.isPending}
                onClick={() => make.mutate(template)}
              >
                Use it<span className="visually-hidden"> ({template.title})</span>
              </Button>
              <Link to={`/automation/workflows/new?template=${template.id}`}>
                Look at it<span className="visually-hidden"> ({template.title})</span>
              </Link>
            </div>
          </li>
        ))}
      </ul>
      {make.isError && (
        <div className={classes.problem}>
          <ProblemAlert error={make.error} />
        </div>
      )}
    </>
  );
}

function nameOf(template: Template): string {
  return /^name: *(.+)$/m.exec(template.text)?.[1]?.trim() ?? template.title;
}
