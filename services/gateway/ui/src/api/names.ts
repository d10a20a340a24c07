/** Names of agents, pools, tags and connections, as the API takes them. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** Why it is no name; null if it is one. */
export function nameProblem(text: string): string | null {
  return NAME.test(text) ? null : 'Letters, digits, “.”, “_” and “-”, the first a letter or a digit; at most 63';
}

/** What was typed or pasted, one name each. */
export function namesIn(texts: readonly string[]): string[] {
  return [...new Set(texts.flatMap((each) => each.split(/[\s,]+/)).filter(Boolean))];
}
