import { expect, test } from 'vitest';
import { commandsOf, pageOf, wordsOf } from './operations';

const commands = commandsOf({
  paths: {
    '/api/v1/executions/{executionId}/cancel': { post: { operationId: 'cancelExecution', summary: 'Cancel' } },
    '/api/v1/executions': { get: { operationId: 'listExecutions' } },
    '/api/v1/users/{userName}': { delete: { operationId: 'deleteUser' } },
  },
});

test('commands are known by name, reads are not among them', () => {
  expect([...commands.keys()]).toEqual(['cancelExecution', 'deleteUser']);
  expect(wordsOf('cancelExecution')).toBe('Cancel execution');
  expect(wordsOf('createApiKey')).toBe('Create API key');
});

test('what a command was about is linked where it has a page', () => {
  const id = '01a2071e-5035-720b-8e4e-a5d9175c2ee8';
  expect(pageOf(commands.get('cancelExecution'), id)).toBe(`/automation/executions/${id}`);
  expect(pageOf(commands.get('deleteUser'), 'alice')).toBeNull();
  expect(pageOf(undefined, id)).toBeNull();
});
