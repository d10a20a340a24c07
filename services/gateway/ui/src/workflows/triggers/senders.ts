/** What whoever sends to a webhook has to be told: a command to try it, or what to enter where. The secret is in it. */
import type { WebhookMade } from '@/api/types';

export interface Example {
  title: string;
  text: string;
}

type Made = Pick<WebhookMade, 'url' | 'secret' | 'auth' | 'preset' | 'maxAgeSeconds'>;

const BODY = '{"variables": {"service": "nginx"}}';

export function exampleFor({ url, secret, auth, preset, maxAgeSeconds }: Made): Example {
  if (preset === 'github') {
    return {
      title: 'Enter in GitHub, under Settings, Webhooks, Add webhook',
      text: `Payload URL:   ${url}\nContent type:  application/json\nSecret:        ${secret}`,
    };
  }
  if (preset === 'alertmanager') {
    return {
      title: 'A receiver for alertmanager.yml',
      text: [
        'receivers:',
        '  - name: runyard',
        '    webhook_configs:',
        `      - url: ${url}`,
        '        http_config:',
        '          authorization:',
        `            credentials: ${secret}`,
      ].join('\n'),
    };
  }
  if (auth === 'bearer') {
    return {
      title: 'Try it',
      text: [
        `curl -X POST ${quoted(url)} \\`,
        `  -H ${quoted(`Authorization: Bearer ${secret}`)} \\`,
        "  -H 'Content-Type: application/json' \\",
        `  -d ${quoted(BODY)}`,
      ].join('\n'),
    };
  }
  const dated = maxAgeSeconds !== null;
  return {
    title: 'Try it: the body is signed with the secret',
    text: [
      `BODY=${quoted(BODY)}`,
      ...(dated ? ['AT=$(date +%s)'] : []),
      `SIGNATURE=$(printf ${dated ? `'%s.%s' "$AT" "$BODY"` : `'%s' "$BODY"`} | openssl dgst -sha256 -hmac ${quoted(secret)} -hex | sed 's/.* //')`,
      `curl -X POST ${quoted(url)} \\`,
      "  -H 'Content-Type: application/json' \\",
      ...(dated ? ['  -H "X-Runyard-Timestamp: $AT" \\'] : []),
      '  -H "X-Runyard-Signature: sha256=$SIGNATURE" \\',
      '  -d "$BODY"',
    ].join('\n'),
  };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
