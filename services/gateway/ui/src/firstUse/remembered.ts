/** What this browser knows of the first steps of a tenant: begun, or over for good. */
export type Remembered = 'begun' | 'over' | null;

const key = (tenantId: string) => `runyard-first-steps:${tenantId}`;

export function recall(tenantId: string): Remembered {
  try {
    const found = localStorage.getItem(key(tenantId));
    return found === 'begun' || found === 'over' ? found : null;
  } catch {
    return null; // storage may be forbidden: then they are shown for as long as they are needed
  }
}

export function remember(tenantId: string, what: Exclude<Remembered, null>): void {
  try {
    localStorage.setItem(key(tenantId), what);
  } catch {
    // as above
  }
}
