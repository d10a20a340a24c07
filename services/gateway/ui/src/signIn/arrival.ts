/** What the address of the sign-in page says: a key in the fragment, which no server ever sees, and where to go on to. */

const HOME = '/automation/executions';

/** The key of `#key=<percent-encoded key>`, as `make run` prints it; null if there is none. */
export function keyOf(hash: string): string | null {
  // not URLSearchParams, for which a plus sign is a space
  const found = /^#key=(.+)$/.exec(hash);
  if (!found?.[1]) return null;
  try {
    return decodeURIComponent(found[1]);
  } catch {
    return found[1];
  }
}

/** `returnTo`, if it is a page of this app: a link that signs people in must not lead them to another site. */
export function pageOf(returnTo: string | null, origin: string): string {
  if (returnTo === null || !/^\/(?![/\\])/.test(returnTo)) return HOME;
  let address: URL;
  try {
    address = new URL(returnTo, origin);
  } catch {
    return HOME;
  }
  if (address.origin !== origin || address.pathname === '/' || address.pathname === '/sign-in') return HOME;
  return address.pathname + address.search + address.hash;
}
