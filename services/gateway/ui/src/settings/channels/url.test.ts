import { expect, test } from 'vitest';
import { kindText, mailUrl, NO_MAIL, slackUrl, teamsUrl, webhookUrl } from './url';

test('a mail server with a login becomes a URL in which nothing of them is lost', () => {
  const mail = { ...NO_MAIL, server: 'mail.example.com', port: '587', user: 'ops@example.com', password: 'p@ss/w:' };
  expect(mailUrl({ ...mail, from: 'ops@example.com', to: 'a@example.com, b@example.com' })).toEqual({
    url: 'mailtos://ops%40example.com:p%40ss%2Fw%3A@mail.example.com:587/?from=ops%40example.com&to=a%40example.com,b%40example.com',
  });
});

test('a mail server without a login or encryption is reached as it is', () => {
  expect(mailUrl({ ...NO_MAIL, encrypted: false, server: 'localhost', from: 'r@x.org', to: 'a@x.org' })).toEqual({
    url: 'mailto://localhost/?from=r%40x.org&to=a%40x.org',
  });
});

test('what a mail needs is asked for', () => {
  for (const mail of [NO_MAIL, { ...NO_MAIL, server: 'm.x' }, { ...NO_MAIL, server: 'm.x', to: 'a@x.org' }])
    expect(mailUrl(mail)).toHaveProperty('problem');
});

test('the addresses that Slack, Teams and others give are taken as they are', () => {
  expect(slackUrl(' https://hooks.slack.com/services/T1/B2/x3Y ')).toEqual({ url: 'slack://T1/B2/x3Y' });
  expect(
    teamsUrl(
      'https://prod-03.westus.logic.azure.com:443/workflows/643e/triggers/manual/paths/invoke?sv=1.0&sig=KO%2Bx',
    ),
  ).toEqual({ url: 'workflows://prod-03.westus.logic.azure.com:443/643e/KO%2Bx' });
  expect(webhookUrl('https://hooks.example.com/a?b=1')).toEqual({ url: 'jsons://hooks.example.com/a?b=1' });
  expect(webhookUrl('http://10.0.0.1:9/a')).toEqual({ url: 'json://10.0.0.1:9/a' });
  for (const make of [slackUrl, teamsUrl, webhookUrl]) expect(make('hello')).toHaveProperty('problem');
});

test('the kinds of channels have names', () => {
  expect(['mailtos', 'slack', 'workflows', 'jsons', 'telegram'].map(kindText)).toEqual([
    'E-mail',
    'Slack',
    'Microsoft Teams',
    'Webhook',
    'telegram',
  ]);
});
