/** Places in a document as the API writes them: `hosts[1].name`; the document itself is the empty path. */

export type Step = string | number;

/** One problem of a document, as the API says them. */
export interface FieldProblem {
  path: string;
  message: string;
}

export function stepsOf(path: string): Step[] {
  return Array.from(path.matchAll(/\[(\d+)\]|[^.[\]]+/g), ([step, index]) =>
    index === undefined ? step : Number(index),
  );
}

export function pathOf(steps: readonly Step[]): string {
  return steps.map((step, at) => (typeof step === 'number' ? `[${step}]` : at === 0 ? step : `.${step}`)).join('');
}

/** Those at or below `path`, as seen from there: of `variables`, what is wrong with `variables.host` is wrong with `host`. */
export function problemsBelow(path: string, problems: readonly FieldProblem[]): FieldProblem[] {
  return problems.flatMap((each) => {
    if (each.path === path) return [{ ...each, path: '' }];
    if (each.path.startsWith(`${path}.`)) return [{ ...each, path: each.path.slice(path.length + 1) }];
    if (each.path.startsWith(`${path}[`)) return [{ ...each, path: each.path.slice(path.length) }];
    return [];
  });
}
