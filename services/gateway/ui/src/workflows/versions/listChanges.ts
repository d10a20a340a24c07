/** What a list lost and got, apart from its order: edges, say, which have no names to compare them by. */
export function listChanges(before: readonly unknown[], after: readonly unknown[]) {
  const lost = counted(before);
  const gained = counted(after);
  for (const [text, count] of lost) {
    const kept = Math.min(count, gained.get(text) ?? 0);
    lost.set(text, count - kept);
    gained.set(text, (gained.get(text) ?? 0) - kept);
  }
  return { removed: repeated(lost), added: repeated(gained) };
}

function counted(items: readonly unknown[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const each of items) {
    const text = JSON.stringify(each);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return counts;
}

function repeated(counts: ReadonlyMap<string, number>): unknown[] {
  return [...counts].flatMap(([text, count]) => Array.from({ length: Math.max(0, count) }, () => JSON.parse(text)));
}
