import { Alert, Drawer, Skeleton, Tabs } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link, useSearchParams } from 'react-router';
import { api, take } from '@/api/client';
import type { JobRow } from '@/api/types';
import { JOB } from '@/theme/status';
import { CopyButton } from '@/ui/CopyButton';
import { Instant } from '@/ui/Instant';
import { JsonTree } from '@/ui/JsonTree';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { useParam, useSetParams } from '@/ui/params';
import { StatusBadge } from '@/ui/StatusBadge';
import { hasEnded, type JobLine, useExecution, useJob, useJobs, usePosition } from '../store';
import { HttpResponse } from './HttpResponse';
import { JobDuration } from './JobDuration';
import classes from './JobView.module.css';
import { OutputPane } from './output/OutputPane';
import type { OutputReader } from './output/reader';
import { bytesText } from './output/size';
import { useReaders, useReading } from './output/useReader';
import { codeOf, type HttpOutput, httpOutput, resultOf } from './result';

export function JobView({ jobId }: { jobId: string }) {
  const { executionId } = useExecution();
  const line = useJob(jobId);
  const position = usePosition();
  const read = useQuery({
    // read again when it gets another status, not older than what told of that
    queryKey: ['execution', executionId, 'job', jobId, line?.status ?? null],
    queryFn: () =>
      take(
        api.GET('/api/v1/executions/{executionId}/jobs/{jobId}', {
          params: { path: { executionId, jobId }, query: { minPosition: position } },
        }),
      ),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const job = line ?? read.data;
  return (
    <Drawer.Content classNames={{ content: classes.content }} aria-label={job ? `Job of ${job.nodeName}` : 'Job'}>
      <Drawer.Header className={classes.head}>
        <Drawer.Title className={classes.title} component="h2">
          {job ? (
            <>
              <span>
                {job.nodeName} {job.item !== null && <code>{job.item}</code>}
              </span>
              <span role="status">
                <StatusBadge look={JOB[job.status]} />
              </span>
            </>
          ) : (
            'Job'
          )}
        </Drawer.Title>
        <Drawer.CloseButton aria-label="Close the job" />
      </Drawer.Header>
      <Drawer.Body className={classes.body}>
        {job && <Facts job={job} output={read.data?.output} />}
        {read.isError && read.data === undefined ? (
          <ProblemAlert title="This job cannot be read" error={read.error} onRetry={() => read.refetch()} />
        ) : read.data === undefined || job === undefined ? (
          <Skeleton height={220} />
        ) : (
          <Outputs line={job} job={read.data} />
        )}
      </Drawer.Body>
    </Drawer.Content>
  );
}

function Facts({ job, output }: { job: JobLine; output: unknown }) {
  const isHttp = job.actionType.startsWith('http.');
  return (
    <>
      <dl className={classes.facts}>
        <Fact name="Action">
          <code>{job.actionType}</code>
        </Fact>
        <Fact name="Agent">
          {job.agent === null ? (
            'none yet'
          ) : (
            <Link to={`/automation/agents?q=${encodeURIComponent(job.agent)}`}>{job.agent}</Link>
          )}
        </Fact>
        <Fact name="Attempt">
          <Attempts job={job} />
        </Fact>
        <Fact name="Duration">
          <span className="numbers">
            <JobDuration job={job} />
          </span>
        </Fact>
        <Fact name="Queued">
          <Instant at={job.queuedAt} />
        </Fact>
        <Fact name="Dispatched">
          <Instant at={job.dispatchedAt} empty="not yet" />
        </Fact>
        <Fact name="Started">
          <Instant at={job.startedAt} empty={hasEnded(job.status) ? 'never' : 'not yet'} />
        </Fact>
        <Fact name="Finished">
          <Instant at={job.finishedAt} empty="not yet" />
        </Fact>
        <Fact name={isHttp ? 'HTTP status' : 'Exit code'}>
          <span className="numbers">{codeOf(output, isHttp ? 'statusCode' : 'exitCode') ?? '–'}</span>
        </Fact>
        <Fact name="Job">
          <code className={classes.id} title={job.jobId}>
            {job.jobId}
          </code>
          <CopyButton value={job.jobId} what="the job's id" />
        </Fact>
      </dl>
      {job.error && (
        <Alert color="red" variant="light" icon={<IconAlertTriangle aria-hidden />} title={job.error.message}>
          Reason <code>{job.error.reason}</code>
          {job.error.exitCode != null && `, exit code ${job.error.exitCode}`}
          {job.error.statusCode != null && `, HTTP status ${job.error.statusCode}`}
        </Alert>
      )}
    </>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The other attempts of the same node, in the same iteration, one step away. */
function Attempts({ job }: { job: JobLine }) {
  const { list } = useJobs();
  const [params] = useSearchParams();
  const attempts = useMemo(
    () => list.filter((each) => each.nodeId === job.nodeId && each.item === job.item),
    [list, job.nodeId, job.item],
  );
  if (attempts.length < 2) return job.attempt;
  return (
    <span className={classes.attempts}>
      {attempts.map((each) => {
        const to = new URLSearchParams(params);
        to.set('job', each.jobId);
        to.delete('stream');
        return each.jobId === job.jobId ? (
          <strong key={each.jobId} aria-current="true">
            {each.attempt}
          </strong>
        ) : (
          <Link
            key={each.jobId}
            to={`?${to}`}
            replace
            preventScrollReset
            aria-label={`Attempt ${each.attempt}, ${JOB[each.status].label.toLowerCase()}`}
          >
            {each.attempt}
          </Link>
        );
      })}
    </span>
  );
}

function Outputs({ line, job }: { line: JobLine; job: JobRow }) {
  const ended = hasEnded(line.status);
  const http = httpOutput(job.output);
  const isHttp = job.actionType.startsWith('http.') || http !== null;
  const streams = isHttp ? ['body'] : ['stdout', 'stderr'];
  const readers = useReaders(job.jobId, ended, streams);
  const result = resultOf(job.output);
  const wanted = useParam('stream');
  const set = useSetParams();
  const tabs = [...(isHttp ? ['response'] : []), ...streams, ...(result === null ? [] : ['result'])];
  const shown = wanted !== null && tabs.includes(wanted) ? wanted : firstShown(job, http);
  return (
    <Tabs
      className={classes.tabs}
      classNames={{ tab: classes.tab }}
      value={shown}
      onChange={(value) => set({ stream: value }, { replace: true })}
      keepMounted={false}
    >
      <Tabs.List>
        {isHttp && (
          <Tabs.Tab value="response">
            Response{http?.statusCode != null && <span className="numbers"> {http.statusCode}</span>}
          </Tabs.Tab>
        )}
        {streams.map((stream) => (
          <StreamTab key={stream} stream={stream} reader={readers.get(stream)} />
        ))}
        {result !== null && <Tabs.Tab value="result">Result</Tabs.Tab>}
      </Tabs.List>
      {isHttp && (
        <Tabs.Panel value="response" className={classes.panel}>
          <HttpResponse output={http} ended={ended} />
        </Tabs.Panel>
      )}
      {streams.map((stream) => {
        const reader = readers.get(stream);
        return (
          reader && (
            <Tabs.Panel key={stream} value={stream} className={classes.panel}>
              <OutputPane
                reader={reader}
                jobId={job.jobId}
                stream={stream}
                ended={ended}
                failed={line.status === 'failed' || line.status === 'timeout'}
              />
            </Tabs.Panel>
          )
        );
      })}
      {result !== null && (
        <Tabs.Panel value="result" className={classes.panel}>
          <JsonTree name="output" value={result} open={3} />
        </Tabs.Panel>
      )}
    </Tabs>
  );
}

function StreamTab({ stream, reader }: { stream: string; reader: OutputReader | undefined }) {
  return (
    <Tabs.Tab value={stream}>
      {stream === 'body' ? 'Body as sent' : stream} {reader && <StreamSize reader={reader} />}
    </Tabs.Tab>
  );
}

function StreamSize({ reader }: { reader: OutputReader }) {
  const { output, known } = useReading(reader);
  return <span className={`${classes.size} numbers`}>{known ? bytesText(output.size) : ''}</span>;
}

/** What somebody who opens it wants to see: of a failure what was complained of. */
function firstShown(job: JobRow, http: HttpOutput | null): string {
  if (http !== null || job.actionType.startsWith('http.')) return 'response';
  const { stdout, stderr } = (job.output ?? {}) as { stdout?: unknown; stderr?: unknown };
  const complained = typeof stderr === 'string' && stderr !== '';
  if (job.status === 'failed' && complained) return 'stderr';
  return complained && stdout === '' ? 'stderr' : 'stdout';
}
