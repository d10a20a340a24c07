import { Button } from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from 'react-router';
import { api, take } from '@/api/client';
import { useOnceKey } from '@/api/onceKey';
import { ProblemAlert } from '@/ui/ProblemAlert';
import classes from './Checklist.module.css';
import type { Progress } from './progress';
import { firstExecutions } from './queries';

/** Starts it with the inputs that it has by itself, and goes where it can be watched. */
export function RunStep({ progress: { workflow, execution, current } }: { progress: Progress }) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const once = useOnceKey();
  const run = useMutation({
    mutationFn: (workflowId: string) =>
      take(
        api.POST('/api/v1/workflows/{workflowId}/run', {
          params: { path: { workflowId }, header: { 'Idempotency-Key': once.keyOf(workflowId) } },
          body: { variables: {} },
        }),
      ),
    onSuccess: ({ executionId }) => {
      once.done();
      void client.invalidateQueries({ queryKey: firstExecutions.queryKey });
      navigate(`/automation/executions/${executionId}`);
    },
  });
  if (execution !== null) return <p className={classes.text}>{execution.workflowName} was started.</p>;
  if (current !== 'run' || workflow === null) return null;
  return (
    <>
      <p className={classes.text}>It starts with the inputs it has by itself, and you see it run.</p>
      <div className={classes.buttons}>
        <Button
          size="xs"
          leftSection={<IconPlayerPlay size={14} aria-hidden />}
          loading={run.isPending}
          onClick={() => run.mutate(workflow.workflowId)}
        >
          Run {workflow.name} and watch
        </Button>
        <Link to={`/automation/workflows/${workflow.workflowId}?run=1`}>Run it with other inputs</Link>
      </div>
      {run.isError && (
        <div className={classes.problem}>
          <ProblemAlert error={run.error} />
        </div>
      )}
    </>
  );
}
