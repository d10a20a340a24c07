/**
 * What the address of the sign-in page says: a key in the fragment, which no server ever sees, where to go on to, and why the
 * identity provider's answer opened nothing.
 */

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

/** By the code of the refusal, and never by words of the address: a link must not make this page say anything. */
const REFUSALS: Readonly<Record<string, string>> = {
  sign_in_failed:
    'The sign-in at the identity provider did not come to its end: it was refused there, took longer than ten minutes, or was begun in another browser. Begin it again.',
  unauthorized:
    'The identity provider knows you, and Runyard does not let you in: your user here, or your organisation, is disabled. Ask whoever looks after Runyard.',
  user_name_taken:
    'There is a user of your name here that is not known to be you. An administrator says that it is, in the settings of that user; the log of the gateway has the subject to enter there.',
  no_user_name:
    'The identity provider gives no name that can be used here, or does not say that your e-mail address is verified. Whoever looks after Runyard finds the reason in the log of the gateway.',
  tenant_unknown:
    'The identity provider says that you belong to a tenant that there is not here. Ask whoever looks after Runyard.',
  no_identity_provider: 'No identity provider is set up here. Sign in with an API key.',
  unavailable: 'The identity provider does not answer. Try again in a moment, or sign in with an API key.',
};

/** Null if nothing was refused. */
export function refusalOf(problem: string | null): string | null {
  if (problem === null || problem === '') return null;
  return (
    (Object.hasOwn(REFUSALS, problem) ? REFUSALS[problem] : null) ??
    'The sign-in was refused. Begin it again; if that does not help, ask whoever looks after Runyard.'
  );
}
