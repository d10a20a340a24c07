/**
 * The URL of a notification channel from what people have at hand: the address that Slack or Teams gives, a mail server and its
 * user. The approvals service reads these URLs by the library apprise.
 */
export type ChannelKind = 'email' | 'slack' | 'teams' | 'webhook' | 'other';

export interface Mail {
  server: string;
  port: string;
  encrypted: boolean;
  user: string;
  password: string;
  from: string;
  to: string;
}

export const NO_MAIL: Mail = { server: '', port: '', encrypted: true, user: '', password: '', from: '', to: '' };

/** The URL, or what is wrong with what was entered. */
export type Made = { url: string } | { problem: string };

export function mailUrl(mail: Mail): Made {
  const server = mail.server.trim();
  if (server === '' || /[\s/@:]/.test(server))
    return { problem: 'The mail server is a name such as mail.example.com.' };
  const port = mail.port.trim();
  if (port !== '' && !/^\d{1,5}$/.test(port)) return { problem: 'The port is a number such as 587.' };
  const to = mail.to
    .split(/[,;\s]+/)
    .filter(Boolean)
    .map(encodeURIComponent);
  if (to.length === 0) return { problem: 'Say to whom mails go.' };
  if (mail.from.trim() === '') return { problem: 'Say from which address mails come.' };
  const login =
    mail.user.trim() === '' ? '' : `${encodeURIComponent(mail.user.trim())}:${encodeURIComponent(mail.password)}@`;
  const scheme = mail.encrypted ? 'mailtos' : 'mailto';
  const host = port === '' ? server : `${server}:${port}`;
  return { url: `${scheme}://${login}${host}/?from=${encodeURIComponent(mail.from.trim())}&to=${to.join(',')}` };
}

export function slackUrl(text: string): Made {
  const found = /^https:\/\/hooks\.slack\.com\/services\/([A-Z0-9]+)\/([A-Z0-9]+)\/([A-Za-z0-9]+)\/?$/.exec(
    text.trim(),
  );
  if (found) return { url: `slack://${found[1]}/${found[2]}/${found[3]}` };
  if (/^slack:\/\/.+/.test(text.trim())) return { url: text.trim() };
  return { problem: 'A Slack webhook looks like https://hooks.slack.com/services/T…/B…/….' };
}

export function teamsUrl(text: string): Made {
  const given = text.trim();
  if (/^(workflows?|msteams):\/\/.+/.test(given)) return { url: given };
  const wrong = { problem: 'A Teams workflow looks like https://….logic.azure.com:443/workflows/…?…&sig=….' };
  if (!URL.canParse(given)) return wrong;
  const { protocol, host, port, pathname, searchParams } = new URL(given);
  const workflow = /\/workflows\/([^/]+)\//.exec(pathname)?.[1];
  const signature = searchParams.get('sig');
  if (protocol !== 'https:' || !workflow || !signature) return wrong;
  return { url: `workflows://${host}${port === '' ? ':443' : ''}/${workflow}/${encodeURIComponent(signature)}` };
}

export function webhookUrl(text: string): Made {
  const given = text.trim();
  if (/^jsons?:\/\/.+/.test(given)) return { url: given };
  if (!URL.canParse(given) || !/^https?:\/\/.+/.test(given))
    return { problem: 'A webhook is an address such as https://hooks.example.com/runyard.' };
  return { url: given.replace(/^http/, 'json') };
}

export function otherUrl(text: string): Made {
  return /^[a-z][a-z0-9+.-]*:\/\/.+/i.test(text.trim())
    ? { url: text.trim() }
    : { problem: 'A URL begins with its kind: kind://….' };
}

/** What the API calls the kind of a channel (the scheme of its URL), in words. */
export function kindText(kind: string): string {
  if (kind.startsWith('mailto')) return 'E-mail';
  if (kind === 'slack') return 'Slack';
  if (kind.startsWith('workflow') || kind === 'msteams') return 'Microsoft Teams';
  if (kind.startsWith('json')) return 'Webhook';
  return kind;
}
