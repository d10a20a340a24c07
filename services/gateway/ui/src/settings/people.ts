/** Users and roles as the API says them. */
import { useQuery } from '@tanstack/react-query';
import { api, take } from '@/api/client';
import { everyPage } from '@/api/everyPage';
import type { RoleRow, UserRow } from '@/api/types';

/** Whatever changes one of these changes what the others say: counts, permissions, keys. */
export const PEOPLE = ['people'] as const;

/** Every user, by name. */
export function useUsers() {
  return useQuery({
    queryKey: [...PEOPLE, 'users'],
    queryFn: ({ signal }) =>
      everyPage<UserRow>((cursor) =>
        take(api.GET('/api/v1/users', { params: { query: { limit: 200, ...cursor } }, signal })),
      ),
  });
}

/** Every role, and every label that a user has. */
export function useRoles() {
  return useQuery({
    queryKey: [...PEOPLE, 'roles'],
    queryFn: async ({ signal }): Promise<RoleRow[]> => (await take(api.GET('/api/v1/roles', { signal }))).items,
  });
}
