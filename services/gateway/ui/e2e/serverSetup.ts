import { Server } from './server';

/** One server for all tests that do not stop theirs. Workers inherit where it is. */
export default async function setup(): Promise<() => Promise<void>> {
  if (process.env.RUNYARD_URL && process.env.RUNYARD_TOKEN) return async () => {};
  const server = await Server.start();
  process.env.RUNYARD_URL = server.url;
  process.env.RUNYARD_TOKEN = server.token;
  return () => server.remove();
}
