/** One job with all that is known of it, at `?job=` (R14, R15). */
import { Drawer } from '@mantine/core';
import { useCallback, useRef } from 'react';
import { useParam, useSetParams } from '@/ui/params';
import { JobView } from './JobView';

export function JobDrawer() {
  const jobId = useParam('job');
  // what it showed stays while it slides away
  const last = useRef(jobId);
  if (jobId !== null) last.current = jobId;
  const set = useSetParams();
  const close = useCallback(() => set({ job: null, stream: null }), [set]);
  return (
    <Drawer.Root opened={jobId !== null} onClose={close} position="right" size="min(100vw, 820px)" keepMounted={false}>
      <Drawer.Overlay backgroundOpacity={0.25} />
      {last.current !== null && <JobView key={last.current} jobId={last.current} />}
    </Drawer.Root>
  );
}
