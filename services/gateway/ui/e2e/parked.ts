/** Messages that a service really cannot handle: results of executions that cannot exist, said by an agent. */
import { type Api, expect } from './test';

/** Parks so many; resolves when they are listed. The agent that said so is revoked. */
export async function park(api: Api, agent: string, count: number): Promise<void> {
  const { agentId, key } = await api.call('POST', '/agents', { name: agent });
  const results = Array.from({ length: count }, (_, number) => ({
    type: 'JobFinished',
    tenantId: 'default',
    executionId: `by-hand-${number + 1}`,
    jobId: `restore-${number + 1}`,
    dispatch: 1,
    agent,
    status: 'completed',
    durationMs: 1840,
    output: { exitCode: 0, stdout: '2048190 rows\n' },
  }));
  const answer = await fetch(`${api.url}/api/v1/agent/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(results),
  });
  expect(answer.status, await answer.text()).toBe(204);
  await expect.poll(async () => (await api.call('GET', '/parked-messages')).items.length).toBe(count);
  await api.call('POST', `/agents/${agentId}/revoke`);
}
