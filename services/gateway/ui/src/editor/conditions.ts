/**
 * A condition, of a node or of an incident trigger, taken apart into rows (field, comparison, value) of which all or any must hold.
 * It stays one expression: a change writes one row anew and leaves the others as they are written, and what is no row is kept as
 * text.
 */
export type Comparison =
  | 'is'
  | 'isNot'
  | 'in'
  | 'notIn'
  | 'contains'
  | 'containsNot'
  | 'startsWith'
  | 'startsNotWith'
  | 'endsWith'
  | 'endsNotWith'
  | 'matches'
  | 'matchesNot'
  | 'has'
  | 'hasNot'
  | 'equals'
  | 'differs'
  | 'less'
  | 'atMost'
  | 'more'
  | 'atLeast'
  | 'holds'
  | 'holdsNot';

/** What a field holds; null if that is not known. */
export type Kind = 'text' | 'list' | 'number' | 'truth' | null;

export interface Row {
  /** A path, such as `incident.severity` and `nodes.probe.output.exitCode`. */
  field: string;
  comparison: Comparison;
  /** Several of `in` and `notIn`, none of `holds` and `holdsNot`, else one. */
  values: readonly string[];
}

export interface Term {
  text: string;
  /** Null: it can be shown as text only. */
  row: Row | null;
  from: number;
  to: number;
}

export type Joint = '&&' | '||';

export interface Terms {
  joint: Joint;
  terms: readonly Term[];
}

/** Of an incident, what is a text. */
export const TEXTS = ['severity', 'service', 'host', 'status', 'team', 'source', 'title', 'id'].map(
  (each) => `incident.${each}`,
);
/** And what is a list of texts. */
export const TAGS = 'incident.tags';

export const COMPARISONS: Readonly<Record<Comparison, string>> = {
  is: 'is',
  isNot: 'is not',
  in: 'is one of',
  notIn: 'is none of',
  contains: 'contains',
  containsNot: 'does not contain',
  startsWith: 'begins with',
  startsNotWith: 'does not begin with',
  endsWith: 'ends with',
  endsNotWith: 'does not end with',
  matches: 'matches the pattern',
  matchesNot: 'does not match the pattern',
  has: 'have',
  hasNot: 'do not have',
  equals: '= (number)',
  differs: '≠ (number)',
  less: '<',
  atMost: '≤',
  more: '>',
  atLeast: '≥',
  holds: 'is true',
  holdsNot: 'is not true',
};
const OPERATORS = { equals: '==', differs: '!=', less: '<', atMost: '<=', more: '>', atLeast: '>=' } as const;

/** What its values are. */
export function kindOf(comparison: Comparison): NonNullable<Kind> {
  if (comparison in OPERATORS) return 'number';
  if (comparison === 'holds' || comparison === 'holdsNot') return 'truth';
  return comparison === 'has' || comparison === 'hasNot' ? 'list' : 'text';
}

export function comparisonsOf(kind: Kind): Comparison[] {
  const all = Object.keys(COMPARISONS) as Comparison[];
  return all.filter((each) => kind === null || kindOf(each) === kind);
}

export function takesSeveral(comparison: Comparison): boolean {
  return comparison === 'in' || comparison === 'notIn';
}

/** Another field, which holds what `kind` says, or another comparison; with the value as far as it fits. */
export function changed(row: Row, by: Partial<Pick<Row, 'field' | 'comparison'>>, kind: Kind): Row {
  const field = by.field ?? row.field;
  const wanted = by.comparison ?? row.comparison;
  const offered = comparisonsOf(kind);
  const comparison = offered.includes(wanted) ? wanted : (offered[0] ?? 'is');
  const [value = ''] = row.values;
  switch (kindOf(comparison)) {
    case 'truth':
      return { field, comparison, values: [] };
    case 'number':
      return { field, comparison, values: [IS_NUMBER.test(value) ? value : '0'] };
    default:
      return { field, comparison, values: takesSeveral(comparison) ? row.values.filter(Boolean) : [value] };
  }
}

/** Whether it can be the field of a row. */
export function isPath(text: string): boolean {
  return IS_PATH.test(text) && !NO_PATHS.has(text);
}

/** Null if it cannot be taken apart: a bracket or a quote is open, or it has comments. `fits`: which rows may be shown as such. */
export function termsOf(condition: string, fits: (row: Row) => boolean = () => true): Terms | null {
  const joints = jointsOf(condition);
  if (joints === null) return null;
  const { and, or, asks } = joints;
  const joint: Joint = !asks && or.length > 0 ? '||' : '&&';
  const places = asks ? [] : joint === '||' ? or : and;
  const ends = [...places, condition.length];
  const terms = ends.map((end, at) => {
    const begin = at === 0 ? 0 : (ends[at - 1] ?? 0) + 2;
    const piece = condition.slice(begin, end);
    const text = piece.trim();
    const from = begin + piece.length - piece.trimStart().length;
    const row = rowOf(text);
    return { text, row: row !== null && fits(row) ? row : null, from, to: from + text.length };
  });
  if (terms.some(({ text }) => text === '')) return terms.length === 1 ? { joint, terms: [] } : null;
  return { joint, terms };
}

export function written({ field, comparison, values }: Row): string {
  const of = field;
  const value = quoted(values[0] ?? '');
  switch (comparison) {
    case 'is':
      return `${of} == ${value}`;
    case 'isNot':
      return `${of} != ${value}`;
    case 'in':
      return `${of} in ${list(values)}`;
    case 'notIn':
      return `!(${of} in ${list(values)})`;
    case 'has':
      return `${value} in ${of}`;
    case 'hasNot':
      return `!(${value} in ${of})`;
    case 'holds':
      return of;
    case 'holdsNot':
      return `!${of}`;
    default:
      if (comparison in OPERATORS)
        return `${of} ${OPERATORS[comparison as keyof typeof OPERATORS]} ${values[0] ?? '0'}`;
      return comparison in METHOD_OF_NOT
        ? `!${of}.${METHOD_OF_NOT[comparison]}(${value})`
        : `${of}.${comparison}(${value})`;
  }
}

export function withTerm(condition: string, { from, to }: Term, text: string): string {
  return condition.slice(0, from) + text + condition.slice(to);
}

export function withoutTerm(condition: string, at: number): string {
  const { terms } = termsOf(condition) ?? { terms: [] };
  const [before, term, next] = [terms[at - 1], terms[at], terms[at + 1]];
  if (!term) return condition;
  if (next) return condition.slice(0, term.from) + condition.slice(next.from);
  return before ? condition.slice(0, before.to) : '';
}

export function withMore(condition: string, text: string): string {
  const found = termsOf(condition);
  const last = found?.terms[found.terms.length - 1];
  if (!found || !last) return text;
  return `${condition.slice(0, last.to)} ${found.joint} ${text}`;
}

/** A text of several parts is put in brackets, so that it stays one. */
export function joinedBy(condition: string, joint: Joint): string {
  const found = termsOf(condition);
  if (found === null || found.joint === joint) return condition;
  return found.terms.reduce((now, { text, from }, at) => {
    const before = found.terms[at - 1];
    const between = before === undefined ? '' : condition.slice(before.to, from).replace(found.joint, joint);
    return now + between + ((jointsOf(text)?.and.length ?? 0) > 0 ? `(${text})` : text);
  }, '');
}

/** A text that is to be one term: in brackets if it would fall apart. Null if a bracket or a quote is open, or nothing is there. */
export function asTerm(text: string): string | null {
  const joints = jointsOf(text);
  if (joints === null || text.trim() === '') return null;
  return joints.asks || joints.or.length > 0 ? `(${text.trim()})` : text.trim();
}

// --- reading

/** Where the outermost `&&` and `||` are, and whether it is one choice between two values, `a ? b : c`. */
function jointsOf(text: string): { and: number[]; or: number[]; asks: boolean } | null {
  const [and, or]: [number[], number[]] = [[], []];
  const open: string[] = [];
  let asks = false;
  for (let at = 0; at < text.length; at += 1) {
    const each = text[at] ?? '';
    const two = text.slice(at, at + 2);
    if (each === '"' || each === "'") {
      const end = endOfText(text, at);
      if (end === null) return null;
      at = end;
    } else if (two === '//') return null;
    else if (each in CLOSES) open.push(CLOSES[each] ?? '');
    else if (')]}'.includes(each)) {
      if (open.pop() !== each) return null;
    } else if (open.length === 0) {
      if (two === '&&') and.push(at++);
      else if (two === '||') or.push(at++);
      else if (each === '?') asks = true;
    }
  }
  return open.length > 0 ? null : { and, or, asks };
}

const CLOSES: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/** The place of its closing quote. Texts that are raw or over several lines are not read: they are rare, and escape otherwise. */
function endOfText(text: string, start: number): number | null {
  const quote = text[start] ?? '';
  if (/[rRbB]/.test(text[start - 1] ?? '') || text.startsWith(quote.repeat(3), start)) return null;
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === quote) return at;
  }
  return null;
}

const TEXT = String.raw`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`;
const NUMBER = String.raw`-?\d+(?:\.\d+)?`;
const PATH = String.raw`[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d+\])*`;
const IS_PATH = new RegExp(`^${PATH}$`);
const IS_NUMBER = new RegExp(`^${NUMBER}$`);
/** They have a meaning of their own. */
const NO_PATHS = new Set(['true', 'false', 'null', 'in']);
const EQUAL = new RegExp(`^(${PATH})\\s*(==|!=)\\s*(${TEXT})$`);
const TRUTH = new RegExp(`^(${PATH})\\s*(==|!=)\\s*(true|false)$`);
const ORDER = new RegExp(`^(${PATH})\\s*(==|!=|<=|>=|<|>)\\s*(${NUMBER})$`);
const METHOD = new RegExp(`^(!?)\\s*(${PATH})\\.(contains|startsWith|endsWith|matches)\\(\\s*(${TEXT})\\s*\\)$`);
const IN = new RegExp(`^(${PATH})\\s+in\\s*\\[\\s*((?:${TEXT})(?:\\s*,\\s*(?:${TEXT}))*|)\\s*\\]$`);
const HAS = new RegExp(`^(${TEXT})\\s+in\\s+(${PATH})$`);
const HOLDS = new RegExp(`^(!?)\\s*(${PATH})$`);
const NOT = /^!\s*\((.*)\)$/s;

const NOT_OF_METHOD: Readonly<Record<string, Comparison>> = {
  contains: 'containsNot',
  startsWith: 'startsNotWith',
  endsWith: 'endsNotWith',
  matches: 'matchesNot',
};
const METHOD_OF_NOT: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(NOT_OF_METHOD).map(([method, not]) => [not, method]),
);

function rowOf(text: string): Row | null {
  const equal = EQUAL.exec(text);
  if (equal) return row(equal[1], equal[2] === '==' ? 'is' : 'isNot', equal[3]);
  const order = ORDER.exec(text);
  if (order) {
    const [, field = '', operator, value = ''] = order;
    const comparison = (Object.keys(OPERATORS) as (keyof typeof OPERATORS)[]).find(
      (each) => OPERATORS[each] === operator,
    );
    return comparison === undefined ? null : { field, comparison, values: [value] };
  }
  const truth = TRUTH.exec(text);
  if (truth) return row(truth[1], (truth[2] === '==') === (truth[3] === 'true') ? 'holds' : 'holdsNot');
  const method = METHOD.exec(text);
  if (method) {
    const [, not, field, name = '', value] = method;
    return row(field, not === '!' ? NOT_OF_METHOD[name] : (name as Comparison), value);
  }
  const not = NOT.exec(text);
  const inner = (not?.[1] ?? text).trim();
  const within = IN.exec(inner);
  if (within) return row(within[1], not ? 'notIn' : 'in', within[2]);
  const has = HAS.exec(inner);
  if (has) return row(has[2], not ? 'hasNot' : 'has', has[1]);
  const holds = HOLDS.exec(text);
  return holds ? row(holds[2], holds[1] === '!' ? 'holdsNot' : 'holds') : null;
}

/** Of an incident trigger: only what an incident has, compared as what it is. */
export function fitsIncident({ field, comparison }: Row): boolean {
  return TEXTS.includes(field) ? kindOf(comparison) === 'text' : field === TAGS && kindOf(comparison) === 'list';
}

function row(field = '', comparison: Comparison | undefined, texts = ''): Row | null {
  const values = Array.from(texts.matchAll(new RegExp(TEXT, 'g')), ([each]) => meant(each));
  if (comparison === undefined || NO_PATHS.has(field) || values.some((each) => each === null)) return null;
  return { field, comparison, values: values as string[] };
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '"': '"', "'": "'", '\\': '\\' };

/** Null if it has an escape that is seldom written. */
function meant(literal: string): string | null {
  let known = true;
  const value = literal.slice(1, -1).replace(/\\(.)/gs, (_, escaped: string) => {
    if (!(escaped in ESCAPES)) known = false;
    return ESCAPES[escaped] ?? '';
  });
  return known ? value : null;
}

function quoted(value: string): string {
  const escaped = value.replace(/["\\\n\t\r]/g, (each) => {
    const letter = Object.keys(ESCAPES).find((name) => ESCAPES[name] === each) ?? each;
    return `\\${letter}`;
  });
  return `"${escaped}"`;
}

function list(values: readonly string[]): string {
  return `[${values.map(quoted).join(', ')}]`;
}
