import { expect, test } from 'vitest';
import { aboutOf, commandsOf, wordsOf } from './operations';

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

test('what a command was about is said in words, and linked where it has a page', () => {
  const id = '01a2071e-5035-720b-8e4e-a5d9175c2ee8';
  expect(aboutOf(commands.get('cancelExecution'), id)).toEqual({
    text: 'execution …175c2ee8',
    page: `/automation/executions/${id}`,
  });
  expect(aboutOf(commands.get('deleteUser'), 'alice')).toEqual({ text: 'user alice', page: '/settings/users?q=alice' });
  expect(aboutOf(undefined, `${id} ops`)).toEqual({ text: '…175c2ee8 ops', page: null });
  expect(aboutOf(commands.get('cancelExecution'), null)).toBeNull();
});
