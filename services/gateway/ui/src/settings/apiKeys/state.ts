import type { ApiKeyRow } from '@/api/types';
import { ACCESS, type Look } from '@/theme/status';

export function stateOf(key: ApiKeyRow, now: number): Look {
  if (key.revokedAt !== null) return ACCESS.revoked;
  return key.expiresAt !== null && Date.parse(key.expiresAt) <= now ? ACCESS.expired : ACCESS.open;
}

export function isOpen(key: ApiKeyRow, now: number): boolean {
  return stateOf(key, now) === ACCESS.open;
}
