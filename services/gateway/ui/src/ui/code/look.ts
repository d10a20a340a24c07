/** How text in CodeMirror looks: in our colours, in both schemes. */
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

const theme = EditorView.theme({
  '&': {
    height: '100%',
    color: 'var(--ry-ink)',
    backgroundColor: 'var(--ry-panel)',
    fontSize: '0.8125rem',
  },
  '&.cm-focused': { outline: '2px solid var(--ry-focus)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--ry-mono)', lineHeight: '1.5' },
  '.cm-content': { caretColor: 'var(--ry-ink)', padding: '8px 0' },
  '.cm-cursor, .cm-dropCursor': { borderLeftColor: 'var(--ry-ink)' },
  '.cm-gutters': {
    color: 'var(--ry-ink-soft)',
    backgroundColor: 'var(--ry-panel)',
    borderRight: '1px solid var(--ry-line)',
  },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--ry-sunken)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground, .cm-content ::selection':
    { backgroundColor: 'var(--ry-blue-ground)' },
  '.cm-panels': { color: 'var(--ry-ink)', backgroundColor: 'var(--ry-sunken)' },
  '.cm-tooltip': {
    color: 'var(--ry-ink)',
    backgroundColor: 'var(--ry-panel)',
    border: '1px solid var(--ry-line-strong)',
    borderRadius: 'var(--ry-radius)',
  },
});

const highlight = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--ry-blue)' },
  { tag: [tags.string, tags.special(tags.string), tags.content], color: 'var(--ry-ink)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.keyword], color: 'var(--ry-indigo)' },
  { tag: [tags.comment, tags.lineComment], color: 'var(--ry-ink-soft)', fontStyle: 'italic' },
  {
    tag: [tags.punctuation, tags.separator, tags.bracket, tags.squareBracket, tags.brace],
    color: 'var(--ry-ink-soft)',
  },
  { tag: [tags.meta, tags.typeName, tags.labelName], color: 'var(--ry-cyan)' },
]);

export const look: Extension = [theme, syntaxHighlighting(highlight)];
