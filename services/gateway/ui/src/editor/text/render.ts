/** Values as YAML, in the style of hand-written workflows, and so that the server reads them as the same values. */
import { Document, isScalar, type ToStringOptions, visit } from 'yaml';

const STYLE: ToStringOptions = { indent: 2, lineWidth: 0, flowCollectionPadding: false };
/** Other readers of YAML take these for dates, times, numbers with separators, or yes and no. */
const MISREAD = /^([-+.]?\d[\d_.:,eE+-]*([tT ].*)?|y|n|yes|no|on|off|true|false|null|~)$/i;

function documentOf(value: unknown, flow: boolean): Document {
  const document = new Document(value);
  visit(document, {
    Scalar(key, node) {
      if (isScalar(node) && typeof node.value === 'string') {
        if (MISREAD.test(node.value)) node.type = 'QUOTE_DOUBLE';
        else if (flow && node.value.includes('\n')) node.type = 'QUOTE_DOUBLE';
        else if (key !== 'key' && node.value.includes('\n')) node.type = 'BLOCK_LITERAL';
      }
    },
    Collection(_, node) {
      if (flow || node.items.length === 0) node.flow = true;
    },
  });
  return document;
}

/** On one line, to stand within `{…}` or behind a key. */
export function inline(value: unknown): string {
  const list = documentOf([value], true).toString(STYLE).trimEnd();
  return list.slice(1, -1);
}

/** `key: value`, further lines indented by `indent`. */
export function pairLines(key: string, value: unknown, indent: number): string {
  return indented(documentOf({ [key]: value }, false).toString(STYLE), indent);
}

/** `- value`, further lines indented by `indent`; `flow` writes it on one line. */
export function itemLines(value: unknown, indent: number, flow: boolean): string {
  return flow ? `- ${inline(value)}` : indented(documentOf([value], false).toString(STYLE), indent);
}

function indented(text: string, indent: number): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line, at) => (at === 0 || line === '' ? line : ' '.repeat(indent) + line))
    .join('\n');
}
