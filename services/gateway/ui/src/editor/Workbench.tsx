/**
 * A workflow being edited: its text, its graph and a form, which are one document. The text is the truth; graph and form show what
 * it means and change it. Of a text that does not parse the last graph that did is shown, greyed.
 */
import { Alert, Anchor, Badge, Button, Group, Menu, SegmentedControl, Splitter, Title } from '@mantine/core';
import { useHotkeys, useMediaQuery } from '@mantine/hooks';
import { IconArrowLeft, IconChevronDown, IconDeviceFloppy, IconPlayerPlay, IconUpload } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { Suspense, useCallback, useDeferredValue, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { Link, useBlocker, useNavigate, useSearchParams } from 'react-router';
import { newKey } from '@/api/client';
import { Problem } from '@/api/problem';
import { useMay } from '@/api/session';
import { useSetParams } from '@/execution/params';
import { aroundOf, type Editing, graphOfDocument, LazyWorkflowGraph, type Place } from '@/graph';
import { confirm } from '@/ui/confirm';
import { Instant } from '@/ui/Instant';
import { Page } from '@/ui/Page';
import { useShortcuts } from '@/ui/shortcuts';
import { failed, said } from '@/ui/toast';
import { reread } from '@/workflows/queries';
import { AddMenu, type Choice } from './AddMenu';
import { activate, create, type DraftSaved, formatOf, publish, save } from './api';
import { type Conflict, ConflictDialog } from './ConflictDialog';
import classes from './Editor.module.css';
import { addAfter, addInto, addNode, connect, disconnect, nodePath, removeNode } from './edits';
import { NodeForm } from './form/NodeForm';
import { newNode } from './newNodes';
import { counted, ProblemList } from './ProblemList';
import { nodeKeyOfOffset, type Placed } from './places';
import { nodeAt, parsed as parse } from './text/parsed';
import { CannotEdit } from './text/splice';
import { type Memory, TextEditor, type TextHandle } from './text/TextEditor';
import { useCheck } from './useCheck';
import { useSurroundings } from './useSurroundings';

/** The draft that is edited; without an id and revision one that was never saved. */
export interface Base {
  workflowId: string | null;
  source: string;
  revision: number;
  savedAt: string | null;
  savedBy: string | null;
  publishedVersion: number | null;
  active: boolean;
  archived: boolean;
}

type View = 'text' | 'graph' | 'form';

export function Workbench({ initial, start }: { initial: Base; start?: string }) {
  const [base, setBase] = useState(initial);
  const [text, setText] = useState(start ?? initial.source);
  const [conflict, setConflict] = useState<Conflict | null>(null);
  const [refused, setRefused] = useState<{ text: string; errors: Problem['errors'] } | null>(null);
  const [busy, setBusy] = useState<'save' | 'publish' | 'activate' | null>(null);
  const [adding, setAdding] = useState<Place | null>(null);
  const [params] = useSearchParams();
  const setParams = useSetParams();
  const navigate = useNavigate();
  const client = useQueryClient();
  const editor = useRef<TextHandle>(null);
  /** The text as it is this moment, also between a change and what is rendered of it. */
  const current = useRef(text);
  current.current = text;
  const memory = useRef<Memory>({ state: null, told: null });
  const known = useSurroundings();
  const mayManage = useMay('automation:manage');
  const mayExecute = useMay('automation:execute');
  const narrow = useMediaQuery('(max-width: 60em)', false, { getInitialValueInEffect: false }) ?? false;
  const size = narrow ? 'xs' : 'sm';
  const readOnly = !mayManage || base.archived;

  const shown = useDeferredValue(text);
  const parsed = useMemo(() => parse(shown), [shown]);
  const lastGood = useRef(parsed);
  if (parsed.problem === null) lastGood.current = parsed;
  const good = lastGood.current;
  const model = useMemo(() => graphOfDocument(good.value), [good]);
  const isEmpty = model.nodes.length === 1;
  const check = useCheck(parsed, mayManage, refused);
  const { problems } = check;
  const counts = useMemo(() => {
    const byNode = new Map<string, number>();
    for (const { node } of problems) if (node !== null) byNode.set(node, (byNode.get(node) ?? 0) + 1);
    return byNode;
  }, [problems]);
  const errors = problems.filter((each) => each.severity === 'error');

  const name = nameOf(good.value) ?? 'New workflow';
  const dirty = text !== base.source || base.workflowId === null;
  const worthKeeping = text !== initial.source || (base.workflowId !== null && dirty);

  // --- what is selected, in all three views

  const selected = params.get('node');
  const view = (params.get('view') ?? 'text') as View;
  const setParam = useCallback(
    (key: string, value: string | null) => setParams({ [key]: value }, { replace: true }),
    [setParams],
  );
  const showNode = useCallback((key: string) => {
    const path = nodePath(lastGood.current.value, key);
    const range = path && nodeAt(lastGood.current.document, path)?.range;
    if (range && lastGood.current.text === current.current) editor.current?.show(range[0], range[1], false);
  }, []);
  const select = useCallback(
    (key: string | null) => {
      setParam('node', key);
      if (key !== null) showNode(key);
    },
    [setParam, showNode],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: where the address says, once
  useEffect(() => {
    if (selected !== null) showNode(selected);
  }, []);
  const onCaret = (offset: number) => {
    if (good.text !== text) return;
    const key = nodeKeyOfOffset(good, offset);
    if (key !== null && key !== selected) setParam('node', key);
  };
  const go = ({ from, to, node }: Placed) => {
    if (narrow) setParam('view', null);
    if (node !== null) setParam('node', node);
    // after the view of the text is there again
    requestAnimationFrame(() => editor.current?.show(from, to));
  };

  // --- changes that come from the graph and the form

  const edit = useCallback((change: (text: string) => string, together = false): string => {
    try {
      const next = change(current.current);
      current.current = next;
      editor.current?.change(next, together);
      return next;
    } catch (trouble) {
      if (!(trouble instanceof CannotEdit)) throw trouble;
      failed('That was not changed', trouble);
      return current.current;
    }
  }, []);
  const editable = !readOnly && parsed.problem === null;
  const graphEditing = useMemo(
    (): Editing => ({
      onConnect: (connection) => void edit((now) => connect(now, connection)),
      onDelete: ({ nodes, edges }) => {
        edit((now) => {
          const withoutEdges = edges.reduce(
            (each, key) => disconnect(each, graphOfDocument(parse(each).value), key),
            now,
          );
          return nodes.reduce(removeNode, withoutEdges);
        });
        setParam('node', null);
      },
      // the first node follows the trigger: what else
      onAdd: (place) => setAdding(isEmpty && place.kind === 'within' ? AFTER_TRIGGER : place),
      problems: counts,
    }),
    [edit, counts, setParam, isEmpty],
  );
  const add = (place: Place, choice: Choice) => {
    setAdding(null);
    if (choice.kind === 'connect') {
      if (place.kind === 'after') edit((now) => connect(now, { from: place.from, port: place.port, to: choice.to }));
      return;
    }
    const node = newNode(
      good.value,
      choice.kind === 'type' ? choice.type : 'action',
      choice.kind === 'action' ? choice.action : undefined,
    );
    edit((now) => {
      if (place.kind === 'after') return addAfter(now, place.from, place.port, node);
      if (place.kind === 'edge') return addInto(now, model, place.edge, node);
      return addNode(now, place.around, node);
    });
    const around =
      place.kind === 'after'
        ? aroundOf(place.from)
        : place.kind === 'within'
          ? place.around
          : aroundOf(edgeSource(place.edge));
    setParam('node', around === null ? node.id : `${around}/${node.id}`);
  };

  // --- saving

  const leaving = useRef(false);
  const firstKey = useRef({ text: '', key: newKey() });
  const saved = useCallback(
    (answer: DraftSaved, source: string) => {
      setBase((before) => ({
        ...before,
        workflowId: answer.workflowId,
        source,
        revision: answer.draft.revision,
        savedAt: answer.draft.savedAt,
        savedBy: answer.draft.savedBy,
        publishedVersion: answer.publishedVersion,
        active: answer.active,
      }));
      setRefused(null);
      void reread(client, answer.workflowId, answer.position).catch(() => client.invalidateQueries());
    },
    [client],
  );
  /** The id and revision once it is saved; null if it was not, which was said. */
  const ensureSaved = async (over?: number): Promise<DraftSaved | { workflowId: string } | null> => {
    const now = current.current;
    if (!dirty && base.workflowId !== null && over === undefined) return { workflowId: base.workflowId };
    try {
      if (base.workflowId === null) {
        // sent again after a lost answer it is the same workflow, not a second one
        if (firstKey.current.text !== now) firstKey.current = { text: now, key: newKey() };
        const answer = await create(now, firstKey.current.key);
        saved(answer, now);
        return answer;
      }
      const answer = await save(base.workflowId, over ?? base.revision, now);
      saved(answer, now);
      return answer;
    } catch (trouble) {
      explain(trouble, now);
      return null;
    }
  };
  const explain = (trouble: unknown, now: string) => {
    if (trouble instanceof Problem && trouble.code === 'draft_changed' && base.workflowId !== null) {
      const { revision, savedBy, savedAt } = trouble.extra;
      setConflict({
        workflowId: base.workflowId,
        revision: Number(revision),
        savedBy: String(savedBy),
        savedAt: String(savedAt),
      });
      return;
    }
    if (trouble instanceof Problem && trouble.code === 'workflow_name_taken')
      setRefused({ text: now, errors: [{ path: 'name', message: trouble.detail }] });
    else if (trouble instanceof Problem && trouble.errors.length > 0) setRefused({ text: now, errors: trouble.errors });
    failed('It was not saved', trouble);
  };
  const open = (workflowId: string) => {
    leaving.current = true;
    const address = new URLSearchParams(window.location.search);
    address.delete('template');
    void navigate(`/automation/workflows/${workflowId}/edit?${address}`, { replace: true });
  };
  const doing = async (what: NonNullable<typeof busy>, work: () => Promise<void>) => {
    if (busy !== null) return;
    setBusy(what);
    try {
      await work();
    } finally {
      setBusy(null);
    }
  };
  const onSave = () => {
    if (readOnly || !dirty) return;
    void doing('save', async () => {
      const created = base.workflowId === null;
      const answer = await ensureSaved();
      if (answer === null) return;
      said('Draft saved');
      if (created) open(answer.workflowId);
    });
  };
  const onPublish = (andActivate: boolean) =>
    void doing(andActivate ? 'activate' : 'publish', async () => {
      const created = base.workflowId === null;
      const now = current.current;
      const answer = await ensureSaved();
      if (answer === null) return;
      const { workflowId } = answer;
      try {
        const published = await publish(workflowId);
        setBase((before) => ({ ...before, publishedVersion: published.version }));
        let { position } = published;
        if (andActivate) {
          const changed = await activate(workflowId);
          setBase((before) => ({ ...before, active: changed.active }));
          position = changed.position;
        }
        const heed = published.warnings.length > 0 ? `, with ${counted(published.warnings.length, 'warning')}` : '';
        said(`Version ${published.version} is published${andActivate ? ' and active' : ''}${heed}`);
        void reread(client, workflowId, position).catch(() => client.invalidateQueries());
      } catch (trouble) {
        if (trouble instanceof Problem && trouble.errors.length > 0) setRefused({ text: now, errors: trouble.errors });
        failed('It was not published', trouble);
      }
      if (created) open(workflowId);
    });

  // --- leaving with what is not saved

  const blocker = useBlocker(
    ({ currentLocation, nextLocation }) =>
      worthKeeping && dirty && !readOnly && !leaving.current && currentLocation.pathname !== nextLocation.pathname,
  );
  useEffect(() => {
    if (blocker.state !== 'blocked') return;
    void confirm({
      title: 'Leave without saving?',
      body: `What you changed in ${name} since it was last saved would be lost.`,
      action: 'Leave, and lose it',
      dangerous: true,
    }).then((yes) => (yes ? blocker.proceed() : blocker.reset()));
  }, [blocker, name]);
  useEffect(() => {
    if (!(worthKeeping && dirty && !readOnly)) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [worthKeeping, dirty, readOnly]);

  // --- the height that is left below the head, which may have one line or more

  const bench = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const measure = () => {
      const place = bench.current;
      place?.style.setProperty('--top', `${Math.round(place.getBoundingClientRect().top + window.scrollY)}px`);
    };
    measure();
    window.addEventListener('resize', measure);
    return () => window.removeEventListener('resize', measure);
  });

  // --- keys

  useHotkeys([['mod+S', onSave]], []);
  useShortcuts([
    { key: 'e', does: 'Edit the text', run: () => editor.current?.focus() },
    { key: 'a', does: 'Add a node, after the selected one', run: () => editable && setAdding(placeFor(selected)) },
    { key: 'p', does: 'Go to the first problem', run: () => problems[0] && go(problems[0]) },
    { key: 'u', does: 'Undo', run: () => editor.current?.undo() },
    { key: 'U', does: 'Redo', run: () => editor.current?.redo() },
    ...KEYS_OF_THE_TEXT,
  ]);
  const placeFor = (key: string | null): Place => {
    const node = key === null ? null : nodePath(good.value, key);
    if (key === 'trigger' || (key === null && isEmpty)) return AFTER_TRIGGER;
    if (key === null || node === null) return { kind: 'within', around: null };
    const port = model.nodes.find((each) => each.key === key)?.ports[0] ?? null;
    return { kind: 'after', from: key, port };
  };

  const page = base.workflowId === null ? '/automation/workflows' : `/automation/workflows/${base.workflowId}`;
  const canRun = mayExecute && base.publishedVersion !== null && base.active && !base.archived;
  const textView = (
    <div className={classes.pane} hidden={narrow && view !== 'text'}>
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
        onSave={onSave}
      />
      {mayManage && <ProblemList check={check} onGo={go} />}
    </div>
  );
  const graphView = (
    <div className={classes.graphPane} data-stale={parsed.problem !== null} hidden={narrow && view !== 'graph'}>
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
          {...(editable ? { editing: graphEditing } : {})}
        />
      </Suspense>
    </div>
  );
  const formView = (
    <div className={classes.formPane} hidden={narrow && view !== 'form'}>
      <NodeForm
        parsed={good}
        model={model}
        selected={selected}
        problems={problems}
        known={known}
        readOnly={!editable}
        edit={edit}
        onSelect={(key) => setParam('node', key)}
      />
    </div>
  );
  return (
    <Page
      title={base.workflowId === null ? 'New workflow' : `Edit ${name}`}
      heading={
        <Group gap="xs">
          <Anchor
            component={Link}
            to={page}
            aria-label={base.workflowId === null ? 'Back to workflows' : `Back to ${name}`}
          >
            <IconArrowLeft size={18} aria-hidden style={{ display: 'block' }} />
          </Anchor>
          <Title order={1}>{name}</Title>
          <State base={base} dirty={dirty} />
        </Group>
      }
      actions={
        !readOnly && (
          <Group gap="xs">
            <Button
              size={size}
              variant="default"
              leftSection={<IconDeviceFloppy size={16} aria-hidden />}
              loading={busy === 'save'}
              disabled={!dirty || busy !== null}
              onClick={onSave}
              title="Ctrl+S"
            >
              Save
            </Button>
            <Button.Group>
              <Button
                size={size}
                leftSection={<IconUpload size={16} aria-hidden />}
                loading={busy === 'publish' || busy === 'activate'}
                disabled={busy !== null || (errors.length > 0 && check.current)}
                title={errors.length > 0 ? `${counted(errors.length, 'problem')} to mend first` : undefined}
                onClick={() => onPublish(!base.active)}
              >
                {base.active ? 'Publish' : 'Publish and activate'}
              </Button>
              {!base.active && (
                <Menu position="bottom-end">
                  <Menu.Target>
                    <Button
                      size={size}
                      px={8}
                      disabled={busy !== null || (errors.length > 0 && check.current)}
                      aria-label="Other ways to publish"
                    >
                      <IconChevronDown size={16} aria-hidden />
                    </Button>
                  </Menu.Target>
                  <Menu.Dropdown>
                    <Menu.Item onClick={() => onPublish(false)}>Publish, and do not activate</Menu.Item>
                  </Menu.Dropdown>
                </Menu>
              )}
            </Button.Group>
            {canRun && (
              <Button
                size={size}
                variant="default"
                leftSection={<IconPlayerPlay size={16} aria-hidden />}
                onClick={() => void navigate(`${page}?run=1`)}
              >
                Run
              </Button>
            )}
          </Group>
        )
      }
    >
      {base.archived && <Alert color="gray">This workflow is archived and cannot be changed.</Alert>}
      {!mayManage && (
        <Alert color="gray">
          You can look at this workflow; to change it you need the permission automation:manage.
        </Alert>
      )}
      {narrow ? (
        <>
          <SegmentedControl
            fullWidth
            mb="xs"
            value={view}
            onChange={(next) => setParam('view', next === 'text' ? null : next)}
            aria-label="What is shown"
            data={[
              { value: 'text', label: problems.length > 0 ? `Text (${problems.length})` : 'Text' },
              { value: 'graph', label: 'Graph' },
              { value: 'form', label: 'Form' },
            ]}
          />
          <div ref={bench} className={classes.bench}>
            {textView}
            {graphView}
            {formView}
          </div>
        </>
      ) : (
        <Splitter ref={bench} className={classes.bench} lineSize={1} handleColor="var(--ry-line-strong)">
          <Splitter.Pane defaultSize={48} min={20}>
            {textView}
          </Splitter.Pane>
          <Splitter.Pane defaultSize={52} min={20}>
            <Splitter orientation="vertical" h="100%" lineSize={1} handleColor="var(--ry-line-strong)">
              <Splitter.Pane defaultSize={52} min={15}>
                {graphView}
              </Splitter.Pane>
              <Splitter.Pane defaultSize={48} min={15}>
                {formView}
              </Splitter.Pane>
            </Splitter>
          </Splitter.Pane>
        </Splitter>
      )}
      {adding && (
        <AddMenu
          place={adding}
          model={model}
          known={known}
          onChoose={(choice) => add(adding, choice)}
          onClose={() => setAdding(null)}
        />
      )}
      {conflict && (
        <ConflictDialog
          conflict={conflict}
          mine={text}
          onClose={() => setConflict(null)}
          onTheirs={(theirs) => {
            setConflict(null);
            setBase((before) => ({
              ...before,
              source: theirs.source,
              revision: theirs.revision,
              savedAt: theirs.savedAt,
              savedBy: theirs.savedBy,
            }));
            editor.current?.change(theirs.source);
            said(`This is now what ${theirs.savedBy} saved. Undo brings yours back.`);
          }}
          onMine={(revision) =>
            void doing('save', async () => {
              setConflict(null);
              if ((await ensureSaved(revision)) !== null) said('Draft saved');
            })
          }
        />
      )}
    </Page>
  );
}

const AFTER_TRIGGER: Place = { kind: 'after', from: 'trigger', port: null };

const KEYS_OF_THE_TEXT = [
  ['Ctrl+S', 'Save the draft'],
  ['Ctrl+Space', 'In the text: what may stand here'],
  ['Ctrl+F', 'In the text: search'],
  ['Ctrl+Z', 'In the text: undo, also of changes in the graph'],
  ['Ctrl+]', 'In the text: indent'],
  ['F8', 'In the text: next problem'],
].map(([key = '', does = '']) => ({ key, does, run: () => {} }));

function State({ base, dirty }: { base: Base; dirty: boolean }) {
  return (
    <Group gap={6} role="status">
      {base.workflowId === null ? (
        <Badge variant="default" tt="none">
          Not saved yet
        </Badge>
      ) : dirty ? (
        <Badge variant="default" tt="none" style={{ color: 'var(--ry-amber)', background: 'var(--ry-amber-ground)' }}>
          Unsaved changes
        </Badge>
      ) : (
        base.savedAt !== null && (
          <span className={classes.state}>
            Draft saved <Instant at={base.savedAt} /> by {base.savedBy}
          </span>
        )
      )}
      {base.workflowId !== null && (
        <span className={classes.state}>
          {base.publishedVersion === null
            ? 'Never published'
            : `Version ${base.publishedVersion} ${base.active ? 'is active' : 'is published, not active'}`}
        </span>
      )}
    </Group>
  );
}

function nameOf(value: unknown): string | null {
  const name = (value as { name?: unknown } | null)?.name;
  return typeof name === 'string' && name.trim() !== '' ? name : null;
}

/** `from:port→to` */
function edgeSource(edgeKey: string): string {
  return edgeKey.slice(0, edgeKey.indexOf(':'));
}
