/** Every row of a list of the API, for lists that somebody made by hand and that are looked through as a whole. */
export async function everyPage<Row>(
  page: (cursor: { cursor?: string }) => Promise<{ items: Row[]; nextCursor: string | null }>,
): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | null = null;
  do {
    const next: { items: Row[]; nextCursor: string | null } = await page(cursor === null ? {} : { cursor });
    rows.push(...next.items);
    cursor = next.nextCursor;
  } while (cursor !== null);
  return rows;
}
