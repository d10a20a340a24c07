/** Handles of React Flow need a name; a port may have none. */
const ALL = '*';

export function handleOf(port: string | null): string {
  return port === null ? ALL : `=${port}`;
}

export function portOf(handle: string | null | undefined): string | null {
  return !handle || handle === ALL ? null : handle.slice(1);
}
