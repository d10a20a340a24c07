/**
 * A workflow being edited: its text, its graph and a form, which are one document. The text is the truth; graph and form show what
 * it means and change it. Of a text that does not parse the last graph that did is shown, greyed.
 */
import { Alert, Anchor, Group, Title } from '@mantine/core';
import { useHotkeys, useMediaQuery } from '@mantine/hooks';
import { IconArrowLeft } from '@tabler/icons-react';
import { Suspense, useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useMay } from '@/api/session';
import { graphOfDocument, LazyWorkflowGraph } from '@/graph';
import { Page } from '@/ui/Page';
import { useSetParams } from '@/ui/params';
import { useShortcuts } from '@/ui/shortcuts';
import { said } from '@/ui/toast';
import { AddMenu } from './AddMenu';
import { formatOf } from './api';
import { ConflictDialog } from './ConflictDialog';
import { DraftCommands, DraftState } from './DraftHead';
import classes from './Editor.module.css';
import { nodePath } from './edits';
import { NodeForm } from './form/NodeForm';
import { PARTS } from './form/OfWorkflow';
import { Panes, type View } from './Panes';
import { counted, ProblemList } from './ProblemList';
import { nodeKeyOfOffset, type Placed } from './places';
import { nodeAt, parsed as parse } from './text/parsed';
import { type Memory, TextEditor, type TextHandle } from './text/TextEditor';
import { useAskBeforeLeaving } from './useAskBeforeLeaving';
import { useChanges } from './useChanges';
import { useCheck } from './useCheck';
import { type Base, useDraft } from './useDraft';
import { useSurroundings } from './useSurroundings';

export function Workbench({ initial, start }: { initial: Base; start?: string }) {
  const [text, setText] = useState(start ?? initial.source);
  const editor = useRef<TextHandle>(null);
  /** The text as it is this moment, also between a change and what is rendered of it. */
  const current = useRef(text);
  current.current = text;
  const memory = useRef<Memory>({ state: null, told: null });
  const known = useSurroundings();
  const mayManage = useMay('automation:manage');
  const mayExecute = useMay('automation:execute');
  const narrow = useMediaQuery('(max-width: 60em)', false, { getInitialValueInEffect: false }) ?? false;
  const readOnly = !mayManage || initial.archived;

  const draft = useDraft(initial, text, current, readOnly);
  const { base, conflict } = draft;
  // typing in the text does not wait for graph and form; a field of the form shows at once what was typed in it
  const later = useDeferredValue(text);
  const [edited, setEdited] = useState<string | null>(null);
  const shown = edited === text ? text : later;
  const parsed = useMemo(() => parse(shown), [shown]);
  const lastGood = useRef(parsed);
  if (parsed.problem === null) lastGood.current = parsed;
  const good = lastGood.current;
  const model = useMemo(() => graphOfDocument(good.value), [good]);
  const check = useCheck(parsed, mayManage, draft.refused);
  const { problems } = check;
  const counts = useMemo(() => {
    const byNode = new Map<string, number>();
    for (const { node } of problems) if (node !== null) byNode.set(node, (byNode.get(node) ?? 0) + 1);
    return byNode;
  }, [problems]);
  const errors = problems.filter((each) => each.severity === 'error').length;
  const name = nameOf(good.value) ?? 'New workflow';
  useAskBeforeLeaving(draft.worthKeeping && draft.dirty && !readOnly, name, draft.moving);

  // --- what is selected, in all three views

  const [params] = useSearchParams();
  const setParams = useSetParams();
  const selected = params.get('node');
  const setParam = useCallback(
    (key: string, value: string | null) => setParams({ [key]: value }, { replace: true }),
    [setParams],
  );
  const choose = useCallback((key: string | null) => setParam('node', key), [setParam]);
  const showNode = useCallback((key: string) => {
    const path = nodePath(lastGood.current.value, key);
    const range = path && nodeAt(lastGood.current.document, path)?.range;
    if (range && lastGood.current.text === current.current) editor.current?.show(range[0], range[1], false);
  }, []);
  const select = useCallback(
    (key: string | null) => {
      choose(key);
      if (key !== null) showNode(key);
    },
    [choose, showNode],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: where the address says, once
  useEffect(() => {
    if (selected !== null) showNode(selected);
  }, []);
  const onCaret = (offset: number) => {
    if (good.text !== text) return;
    const key = nodeKeyOfOffset(good, offset);
    if (key !== null && key !== selected) choose(key);
  };
  const go = ({ from, to, node, path }: Placed) => {
    if (narrow) setParam('view', null);
    const part = PARTS.find((each) => path.startsWith(each));
    if (node !== null) choose(node);
    else if (part !== undefined) setParams({ node: null, part }, { replace: true });
    // after the view of the text is there again
    requestAnimationFrame(() => editor.current?.show(from, to));
  };

  const editable = !readOnly && parsed.problem === null;
  const changes = useChanges(editor, current, setEdited, good.value, model, counts, choose);
  const { adding, setAdding } = changes;
  useHotkeys([['mod+S', draft.save]], []);
  // in the text and in fields these keys are their own
  useHotkeys([
    ['mod+Z', () => editor.current?.undo()],
    ['mod+shift+Z', () => editor.current?.redo()],
    ['mod+Y', () => editor.current?.redo()],
  ]);
  useShortcuts([
    { key: 'e', does: 'Edit the text', run: () => editor.current?.focus() },
    {
      key: 'a',
      does: 'Add a node, after the selected one',
      run: () => editable && setAdding(changes.placeFor(selected)),
    },
    { key: 'p', does: 'Go to the first problem', run: () => problems[0] && go(problems[0]) },
    { key: 'u', does: 'Undo', run: () => editor.current?.undo() },
    { key: 'U', does: 'Redo', run: () => editor.current?.redo() },
    ...KEYS_OF_THE_TEXT,
  ]);

  const isNew = base.workflowId === null;
  const page = isNew ? '/automation/workflows' : `/automation/workflows/${base.workflowId}`;
  return (
    <Page
      title={isNew ? 'New workflow' : `Edit ${name}`}
      heading={
        <Group gap="xs">
          <Anchor component={Link} to={page} aria-label={isNew ? 'Back to workflows' : `Back to ${name}`}>
            <IconArrowLeft size={18} aria-hidden style={{ display: 'block' }} />
          </Anchor>
          <Title order={1}>{name}</Title>
          <DraftState draft={draft} />
        </Group>
      }
      actions={
        !readOnly && (
          <DraftCommands
            draft={draft}
            refusal={errors > 0 && check.current ? `${counted(errors, 'problem')} to mend first` : null}
            mayExecute={mayExecute}
            narrow={narrow}
          />
        )
      }
    >
      {base.archived && <Alert color="gray">This workflow is archived and cannot be changed.</Alert>}
      {!mayManage && (
        <Alert color="gray">
          You can look at this workflow; to change it you need the permission automation:manage.
        </Alert>
      )}
      <Panes
        narrow={narrow}
        view={(params.get('view') ?? 'text') as View}
        onView={(next) => setParam('view', next === 'text' ? null : next)}
        problems={problems.length}
        text={
          <div className={classes.pane}>
            <TextEditor
              ref={editor}
              memory={memory}
              initial={start ?? initial.source}
              format={formatOf(start ?? initial.source)}
              readOnly={readOnly}
              label={`Text of ${name}`}
              problems={problems}
              known={known}
              onText={setText}
              onCaret={onCaret}
              onSave={draft.save}
            />
            {mayManage && <ProblemList check={check} onGo={go} />}
          </div>
        }
        graph={
          <div className={classes.graphPane} data-stale={parsed.problem !== null}>
            {parsed.problem !== null && (
              <div className={classes.stale} role="status">
                The text is not YAML at the moment. This is the graph as it was before.
              </div>
            )}
            <Suspense fallback={null}>
              <LazyWorkflowGraph
                model={model}
                label={`Graph of ${name}`}
                selected={selected}
                onSelect={select}
                {...(editable ? { editing: changes.onGraph } : {})}
              />
            </Suspense>
          </div>
        }
        form={
          <div className={classes.formPane}>
            <NodeForm
              parsed={good}
              model={model}
              selected={selected}
              problems={problems}
              known={known}
              readOnly={!editable}
              edit={changes.edit}
              onSelect={choose}
              onAdd={setAdding}
              onDelete={changes.onGraph.onDelete}
              isNew={changes.isNew}
            />
          </div>
        }
      />
      {adding && (
        <AddMenu
          place={adding}
          model={model}
          known={known}
          onChoose={(choice) => changes.add(adding, choice)}
          onClose={() => setAdding(null)}
        />
      )}
      {conflict && (
        <ConflictDialog
          conflict={conflict}
          before={base.source}
          mine={text}
          onClose={draft.dropConflict}
          onTheirs={(theirs) => {
            draft.take(theirs);
            editor.current?.change(theirs.source);
            said(`This is now what ${theirs.savedBy} saved. Undo brings yours back.`);
          }}
          onBoth={(theirs, both) => {
            draft.take(theirs);
            editor.current?.change(both);
            said('The text has both now. Save it when you have looked at it; undo brings yours back.');
          }}
          onMine={draft.replace}
        />
      )}
    </Page>
  );
}

const KEYS_OF_THE_TEXT = [
  ['Ctrl+S', 'Save the draft'],
  ['Ctrl+Space', 'In the text: what may stand here'],
  ['Ctrl+F', 'In the text: search'],
  ['Ctrl+Z', 'Undo, also of changes in graph and form'],
  ['Ctrl+]', 'In the text: indent'],
  ['F8', 'In the text: next problem'],
].map(([key = '', does = '']) => ({ key, does, run: () => {} }));

function nameOf(value: unknown): string | null {
  const name = (value as { name?: unknown } | null)?.name;
  return typeof name === 'string' && name.trim() !== '' ? name : null;
}
