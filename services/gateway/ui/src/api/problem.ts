/** What went wrong, as the API says it (RFC 9457). `code` is stable; `errors` has every problem of what was sent. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly errors: readonly { path: string; message: string }[] = [],
    readonly extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(detail || title);
    this.name = 'Problem';
  }

  /** The gateway could not be reached at all: nothing is known of what became of the request. */
  get unreachable(): boolean {
    return this.status === 0;
  }

  static unreachable(): Problem {
    return new Problem(
      0,
      'unreachable',
      'Not connected',
      'Runyard cannot be reached. Check the network; what you see may be old.',
    );
  }

  static of(status: number, body: unknown): Problem {
    if (typeof body === 'object' && body !== null && 'code' in body) {
      const { code, title, detail, errors, ...extra } = body as Record<string, unknown>;
      return new Problem(
        status,
        String(code),
        String(title ?? ''),
        String(detail ?? ''),
        Array.isArray(errors) ? (errors as { path: string; message: string }[]) : [],
        extra,
      );
    }
    return new Problem(
      status,
      'unexpected',
      `HTTP ${status}`,
      `The server answered with HTTP ${status}, and not as the API does.`,
    );
  }
}

/** Anything that was thrown, as a problem to be shown. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(
    -1,
    'unexpected',
    'Something went wrong in this page',
    error instanceof Error ? error.message : String(error),
  );
}
