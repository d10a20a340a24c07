/** The way from an empty system to a first execution that was watched; nothing once that is over. Small: the rest is loaded if needed. */
import { useQuery } from '@tanstack/react-query';
import { Suspense, useEffect, useState } from 'react';
import { useSession } from '@/api/session';
import { lazyPart } from '@/ui/lazyPart';
import { isUsed } from './progress';
import { firstExecutions } from './queries';
import { recall, remember } from './remembered';

const Checklist = lazyPart(async () => (await import('./Checklist')).Checklist);

export function FirstSteps() {
  const { tenantId, permissions } = useSession();
  const [remembered, setRemembered] = useState(() => recall(tenantId));
  const may = permissions.includes('automation:view') && permissions.includes('automation:execute');
  const executions = useQuery({ ...firstExecutions, enabled: may && remembered !== 'over' });
  const asked = executions.data !== undefined;
  const used = asked && isUsed(executions.data, remembered === 'begun');
  useEffect(() => {
    if (!asked) return;
    remember(tenantId, used ? 'over' : 'begun');
    setRemembered(used ? 'over' : 'begun');
  }, [asked, used, tenantId]);
  if (!may || !asked || used || remembered === 'over') return null;
  return (
    <Suspense fallback={null}>
      <Checklist
        onClose={() => {
          remember(tenantId, 'over');
          setRemembered('over');
        }}
      />
    </Suspense>
  );
}
