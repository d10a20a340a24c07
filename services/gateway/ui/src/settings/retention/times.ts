/** How long each kind of data is kept, and what goes if it is kept for less. */
export interface Times {
  historyMonths: number | null;
  auditMonths: number | null;
  /** 0: for ever; null: as the installation does. */
  outputDays: number | null;
}

export function keptText(count: number, unit: 'months' | 'days'): string {
  if (count === 0) return 'for ever';
  return `${count} ${count === 1 ? unit.slice(0, -1) : unit}`;
}

/** What goes, in sentences, if `after` takes the place of `before`; none if everything is kept for as long as it was. */
export function shortens(before: Times, after: Times, defaultOutputDays: number | null): string[] {
  const goes: string[] = [];
  if (less(before.historyMonths, after.historyMonths))
    goes.push(
      `Executions that began more than ${keptText(after.historyMonths ?? 0, 'months')} ago go to the archive. They are no longer in lists and pages; figures of analytics stay.`,
    );
  if (less(before.auditMonths, after.auditMonths))
    goes.push(
      `Commands of more than ${keptText(after.auditMonths ?? 0, 'months')} ago leave the audit log for the archive.`,
    );
  const output = (days: number | null) => {
    const effective = days ?? defaultOutputDays;
    return effective === 0 ? null : effective;
  };
  if (less(output(before.outputDays), output(after.outputDays)))
    goes.push(
      `Output of jobs that is older than ${keptText(output(after.outputDays) ?? 0, 'days')} is dropped for good.`,
    );
  return goes;
}

/** null: for ever. */
function less(before: number | null, after: number | null): boolean {
  return after !== null && (before === null || after < before);
}
