/** The text editor: YAML with completion by place, marks for problems, search and the usual keys. Tab leaves it. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentLess, indentMore, isolateHistory } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { yaml } from '@codemirror/lang-yaml';
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from '@codemirror/language';
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { EditorState, type Extension, Transaction } from '@codemirror/state';
import {
  Decoration,
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
  MatchDecorator,
  ViewPlugin,
  type ViewUpdate,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { look } from '@/ui/code/look';
import { completionAt, type Surroundings } from '../completion/options';
import type { Placed } from '../places';

const templates = new MatchDecorator({
  regexp: /\{\{.*?\}\}/g,
  decoration: Decoration.mark({ class: 'cm-template' }),
});

const showTemplates = ViewPlugin.fromClass(
  class {
    decorations;
    constructor(view: EditorView) {
      this.decorations = templates.createDeco(view);
    }
    update(update: ViewUpdate) {
      this.decorations = templates.updateDeco(update, this.decorations);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

const parts = EditorView.theme({
  '.cm-template': { backgroundColor: 'var(--ry-indigo-ground)', borderRadius: '3px' },
  '.cm-template, .cm-template span': { color: 'var(--ry-indigo)' },
  '.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--ry-mono)', maxHeight: '16em' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { color: 'var(--ry-ink)', background: 'var(--ry-blue-ground)' },
  '.cm-completionDetail': { color: 'var(--ry-ink-soft)', fontStyle: 'normal' },
  '.cm-completionInfo': { maxWidth: '320px', whiteSpace: 'pre-wrap' },
  '.cm-lintRange-error': { backgroundImage: 'none', borderBottom: '2px solid var(--ry-red)' },
  '.cm-lintRange-warning': { backgroundImage: 'none', borderBottom: '2px dotted var(--ry-amber)' },
  '.cm-diagnostic': { padding: '4px 8px', fontFamily: 'var(--mantine-font-family)' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--ry-red)' },
  '.cm-diagnostic-warning': { borderLeftColor: 'var(--ry-amber)' },
  '.cm-foldPlaceholder': { background: 'var(--ry-sunken)', border: '1px solid var(--ry-line)', color: 'var(--ry-ink)' },
  '.cm-panel.cm-search input, .cm-panel.cm-search button': {
    color: 'var(--ry-ink)',
    background: 'var(--ry-panel)',
    border: '1px solid var(--ry-line-strong)',
    borderRadius: '4px',
  },
  '.cm-panel.cm-search label': { color: 'var(--ry-ink)' },
  '.cm-searchMatch': { backgroundColor: 'var(--ry-amber-ground)' },
  '.cm-searchMatch-selected': { outline: '1px solid var(--ry-amber)' },
  '.cm-matchingBracket': { backgroundColor: 'var(--ry-cyan-ground)' },
  '.cm-selectionMatch': { backgroundColor: 'var(--ry-sunken)' },
});

/** Not where texts are compared: there the ground has a colour. */
const quoted = syntaxHighlighting(HighlightStyle.define([{ tag: tags.string, color: 'var(--ry-green)' }]));

export interface Told {
  onText: (text: string) => void;
  /** Where the caret went because somebody moved it. */
  onCaret: (offset: number) => void;
  onSave: () => void;
  known: () => Surroundings;
}

export function editing(
  format: 'yaml' | 'json',
  readOnly: boolean,
  label: string,
  listener: { told: Told | null },
): Extension {
  return [
    lineNumbers(),
    highlightActiveLineGutter(),
    lintGutter(),
    foldGutter(),
    history(),
    drawSelection(),
    highlightActiveLine(),
    highlightSelectionMatches(),
    indentUnit.of('  '),
    indentOnInput(),
    bracketMatching(),
    closeBrackets(),
    EditorState.tabSize.of(2),
    EditorState.readOnly.of(readOnly),
    EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', tabindex: '0' }),
    format === 'json' ? json() : yaml(),
    search({ top: true }),
    showTemplates,
    autocompletion({
      icons: false,
      override: [
        ({ state, pos, explicit }) => {
          const text = state.doc.toString();
          const before = text.slice(Math.max(0, pos - 3), pos);
          if (!explicit && !/[\w.$-]$|: $|\{\{ ?$/.test(before)) return null;
          const known = listener.told?.known();
          if (known === undefined) return null;
          const found = completionAt(text, pos, known);
          // nothing is begun, so nothing is offered unasked
          if (found === null || (!explicit && found.from === pos && /\w$/.test(before))) return null;
          return { ...found, validFor: /^[\w$:-]*$/ };
        },
      ],
    }),
    keymap.of([
      {
        key: 'Mod-s',
        preventDefault: true,
        run: () => {
          listener.told?.onSave();
          return true;
        },
      },
      { key: 'Mod-]', run: indentMore },
      { key: 'Mod-[', run: indentLess },
      ...closeBracketsKeymap,
      ...defaultKeymap,
      ...searchKeymap,
      ...historyKeymap,
      ...foldKeymap,
      ...completionKeymap,
      ...lintKeymap,
    ]),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) listener.told?.onText(update.state.doc.toString());
      if (
        update.selectionSet &&
        update.transactions.some((each) => each.isUserEvent('select') || each.isUserEvent('input.type'))
      )
        listener.told?.onCaret(update.state.selection.main.head);
    }),
    quoted,
    look,
    parts,
  ];
}

/** The new text as one change of what differs; `together`: one step of undo with what was typed just before. */
export function change(view: EditorView, next: string, together = false): void {
  const now = view.state.doc.toString();
  if (now === next) return;
  let from = 0;
  const shorter = Math.min(now.length, next.length);
  while (from < shorter && now[from] === next[from]) from += 1;
  let same = 0;
  while (same < shorter - from && now[now.length - 1 - same] === next[next.length - 1 - same]) same += 1;
  view.dispatch({
    changes: { from, to: now.length - same, insert: next.slice(from, next.length - same) },
    // without a name the history joins it with what was typed right before
    annotations: together ? [] : [Transaction.userEvent.of('input.form'), isolateHistory.of('full')],
  });
}

export function show(view: EditorView, from: number, to: number, focus: boolean): void {
  const length = view.state.doc.length;
  const range = { anchor: Math.min(from, length), head: Math.min(to, length) };
  const line = view.state.doc.lineAt(range.anchor);
  // the beginning of the line too, if both can be seen
  const seen = range.anchor - line.from < 50 ? line.from : range.anchor;
  view.dispatch({ selection: range, effects: EditorView.scrollIntoView(seen, { y: 'center' }) });
  if (focus) view.focus();
}

export function mark(view: EditorView, problems: readonly Placed[]): void {
  const length = view.state.doc.length;
  const diagnostics = problems.map(
    ({ from, to, severity, message, path }): Diagnostic => ({
      from: Math.min(from, length),
      to: Math.min(to, length),
      severity,
      message: path === '' ? message : `${path} ${message}`,
    }),
  );
  view.dispatch(setDiagnostics(view.state, diagnostics));
}
