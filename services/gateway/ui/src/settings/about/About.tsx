/** Which Runyard this is, whether it is well, where its API is described, and the keys of the app. */
import { Stack } from '@mantine/core';
import { IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { Problem } from '@/api/problem';
import type { components } from '@/api/schema';
import { useMay } from '@/api/session';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { ShortcutsTable } from '@/ui/ShortcutsTable';
import { version } from '../../../package.json';
import { Fact, Facts } from '../Facts';
import { Body, Section } from '../Section';
import classes from './About.module.css';

const LINKS = [
  ['/docs', 'The HTTP API as a page', 'every operation, with what it needs and answers'],
  ['/openapi.json', 'OpenAPI 3.1', 'the same for programs'],
  ['/asyncapi.json', 'AsyncAPI 3', 'the event stream, for programs that listen'],
  ['/metrics', 'Metrics', 'figures for Prometheus; may need a token of their own'],
] as const;

export function About() {
  return (
    <Stack gap="md">
      <Section title="About" about="Workflow automation for operations.">
        <Facts>
          <Fact name="Version">Runyard {version}</Fact>
          <Fact name="Address">{window.location.origin}</Fact>
          <Fact name="Health">
            <Health />
          </Fact>
          <Fact name="For programs">
            <ul className={classes.links}>
              {LINKS.map(([address, name, about]) => (
                <li key={address}>
                  <a href={address} target="_blank" rel="noreferrer">
                    {name}
                  </a>{' '}
                  <span className={classes.soft}>{about}</span>
                </li>
              ))}
            </ul>
          </Fact>
        </Facts>
      </Section>
      <Section title="Keys" about="Each page has more of its own: press ? there.">
        <Body>
          <ShortcutsTable />
        </Body>
      </Section>
    </Stack>
  );
}

type Ready = components['schemas']['Health'];

function Health() {
  const mayLook = useMay('automation:installation');
  const ready = useQuery({
    queryKey: ['readyz'],
    refetchInterval: 10_000,
    queryFn: async ({ signal }): Promise<Ready> => {
      let answer: Response;
      try {
        answer = await fetch('/readyz', { signal });
      } catch (error) {
        throw signal.aborted ? error : Problem.unreachable();
      }
      const body: unknown = await answer.json().catch(() => null);
      // 503 is an answer here: it says what is the matter
      if (typeof body === 'object' && body !== null && 'parts' in body) return body as Ready;
      throw Problem.of(answer.status, body);
    },
  });
  if (ready.isError) return <ProblemAlert error={ready.error} onRetry={() => ready.refetch()} />;
  if (ready.isPending) return <span className={classes.soft}>Asking …</span>;
  const { status, parts, notes } = ready.data;
  return (
    <>
      <span className={status === 'ok' ? classes.good : classes.bad} role="status">
        {status === 'ok' ? <IconCircleCheck size={16} aria-hidden /> : <IconCircleX size={16} aria-hidden />}
        {status === 'ok' ? 'The gateway has all that it needs' : 'The gateway lacks something that it needs'}
      </span>
      <ul className={classes.links}>
        {Object.entries(parts).map(([part, trouble]) => (
          <li key={part}>
            {part}: <span className={trouble ? classes.bad : classes.soft}>{trouble ?? 'fine'}</span>
          </li>
        ))}
        {Object.entries(notes).map(([part, note]) => (
          <li key={part}>
            {part}: {note}
            {part === 'parked messages' && mayLook && (
              <>
                {' '}
                or <Link to="/settings/parked-messages">their page</Link>
              </>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}
