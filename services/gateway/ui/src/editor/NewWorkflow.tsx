/** How a workflow begins: with a template, with nothing, or with a file. */
import { Button, FileButton, SimpleGrid, Text, Title, UnstyledButton } from '@mantine/core';
import { IconFile, IconFileImport, IconTemplate } from '@tabler/icons-react';
import { type DragEvent, useEffect, useState } from 'react';
import { useSearchParams } from 'react-router';
import { Page } from '@/ui/Page';
import { failed } from '@/ui/toast';
import classes from './Editor.module.css';
import { BLANK, TEMPLATES } from './templates';
import { Workbench } from './Workbench';

const NEVER_SAVED = {
  workflowId: null,
  revision: 0,
  savedAt: null,
  savedBy: null,
  publishedVersion: null,
  publishedSource: null,
  active: false,
  archived: false,
};

/** `?template=` names one; `blank` is the empty one. */
export function NewWorkflow() {
  const [params, setParams] = useSearchParams();
  const [given, setGiven] = useState<string | null>(null);
  const chosen = params.get('template');
  const template = chosen === 'blank' ? BLANK : TEMPLATES.find(({ id }) => id === chosen)?.text;
  if (given !== null) return <Workbench initial={{ ...NEVER_SAVED, source: '' }} start={given} />;
  if (template !== undefined) return <Workbench key={chosen} initial={{ ...NEVER_SAVED, source: template }} />;
  return <Choice onTemplate={(id) => setParams({ template: id })} onText={setGiven} />;
}

function Choice({ onTemplate, onText }: { onTemplate: (id: string) => void; onText: (text: string) => void }) {
  const [over, setOver] = useState(false);
  const read = async (file: File | null | undefined) => {
    if (!file) return;
    try {
      onText(await file.text());
    } catch (trouble) {
      failed(`${file.name} could not be read`, trouble);
    }
  };
  useEffect(() => {
    const onPaste = (event: ClipboardEvent) => {
      const text = event.clipboardData?.getData('text/plain') ?? '';
      if (text.trim() === '') return;
      event.preventDefault();
      onText(text);
    };
    window.addEventListener('paste', onPaste);
    return () => window.removeEventListener('paste', onPaste);
  }, [onText]);
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void read(event.dataTransfer.files[0]);
  };
  return (
    <Page title="New workflow">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: dropping a file is one more way; the button does the same */}
      <div
        className={classes.begin}
        data-over={over}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={onDrop}
      >
        <Title order={2} mb={4}>
          Begin with a template
        </Title>
        <Text size="sm" c="dimmed" mb="md">
          Each can be published and run as it is. Nothing is saved before you say so.
        </Text>
        <SimpleGrid cols={{ base: 1, xs: 2, lg: 3 }} spacing="sm">
          {TEMPLATES.map(({ id, title, does }) => (
            <UnstyledButton key={id} className={classes.template} onClick={() => onTemplate(id)}>
              <IconTemplate size={20} stroke={1.6} aria-hidden />
              <span>
                <span className={classes.templateTitle}>{title}</span>
                <span className={classes.templateDoes}>{does}</span>
              </span>
            </UnstyledButton>
          ))}
        </SimpleGrid>
        <Title order={2} mt="xl" mb="sm">
          Or with something else
        </Title>
        <div className={classes.others}>
          <Button
            variant="default"
            leftSection={<IconFile size={16} aria-hidden />}
            onClick={() => onTemplate('blank')}
          >
            An empty workflow
          </Button>
          <FileButton
            accept=".yaml,.yml,.json,application/yaml,application/json,text/plain"
            onChange={(file) => void read(file)}
          >
            {(props) => (
              <Button {...props} variant="default" leftSection={<IconFileImport size={16} aria-hidden />}>
                A file
              </Button>
            )}
          </FileButton>
          <Text size="sm" c="dimmed">
            A file can be dropped anywhere here, and a document can be pasted.
          </Text>
        </div>
      </div>
    </Page>
  );
}
