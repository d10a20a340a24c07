import { Alert, Button, Group, Input, Modal, Stack } from '@mantine/core';
import type { WebhookRow } from '@/api/types';
import { CopyButton } from '@/ui/CopyButton';
import { exampleFor } from './senders';
import classes from './Triggers.module.css';

export interface Shown {
  hook: WebhookRow;
  /** null after a rotation: the address is not shown again either. */
  url: string | null;
  key: string | null;
  secret: string;
}

/** Key and secret, this once. It does not close by a click beside it. */
export function SecretShown({ shown, onClose }: { shown: Shown; onClose: () => void }) {
  const { hook, url, key, secret } = shown;
  const example = url === null ? null : exampleFor({ ...hook, url, secret });
  return (
    <Modal
      opened
      onClose={onClose}
      title="Copy them now"
      size="lg"
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      <Stack gap="sm">
        <Alert color="yellow" variant="light">
          {url === null ? 'The secret is' : 'Address and secret are'} shown this once. Runyard cannot show{' '}
          {url === null ? 'it' : 'them'} again, only make new ones.
        </Alert>
        {url !== null && <Value label="Address" value={url} />}
        {key !== null && <Value label="Key" description="It is in the address." value={key} />}
        <Value label="Secret" value={secret} />
        {example && (
          <Input.Wrapper label={example.title} labelElement="div">
            <div className={classes.example}>
              <pre>{example.text}</pre>
              <div className={classes.copy}>
                <CopyButton value={example.text} what="the example" />
              </div>
            </div>
          </Input.Wrapper>
        )}
        <Group justify="flex-end">
          <Button onClick={onClose}>I have copied {url === null ? 'it' : 'them'}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Value({ label, description, value }: { label: string; description?: string; value: string }) {
  return (
    <Input.Wrapper label={label} description={description} labelElement="div">
      <div className={classes.secret}>
        <span data-secret={label.toLowerCase()}>{value}</span>
        <CopyButton value={value} what={`the ${label.toLowerCase()}`} />
      </div>
    </Input.Wrapper>
  );
}
