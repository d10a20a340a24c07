import { Checkbox, Stack } from '@mantine/core';
import type { Permission } from '@/api/types';
import { PERMISSIONS, TENANT_PERMISSIONS } from './permissions';

export type TenantPermission = Exclude<Permission, 'automation:installation'>;

export function PermissionChoice({
  label,
  description,
  value,
  onChange,
  error,
}: {
  label: string;
  description?: string;
  value: readonly TenantPermission[];
  onChange: (value: TenantPermission[]) => void;
  error?: string | undefined;
}) {
  return (
    <Checkbox.Group
      label={label}
      description={description}
      value={[...value]}
      onChange={(chosen) => onChange(TENANT_PERMISSIONS.filter((each) => chosen.includes(each)))}
      error={error}
    >
      <Stack gap="xs" mt="xs">
        {TENANT_PERMISSIONS.map((each) => (
          <Checkbox key={each} value={each} label={PERMISSIONS[each].short} description={PERMISSIONS[each].does} />
        ))}
      </Stack>
    </Checkbox.Group>
  );
}
