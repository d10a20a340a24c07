/** What a workflow can do now, and why not more (R46). */
import type { WorkflowRow } from '@/api/types';
import { type Look, WORKFLOW } from '@/theme/status';

type State = Pick<WorkflowRow, 'active' | 'archived' | 'publishedVersion'>;

export function lookOfWorkflow(workflow: State): Look {
  if (workflow.archived) return WORKFLOW.archived;
  if (workflow.publishedVersion === null) return WORKFLOW.unpublished;
  return workflow.active ? WORKFLOW.active : WORKFLOW.inactive;
}

/** null: it can be run. */
export function whyNotRun(workflow: State): string | null {
  if (workflow.archived) return 'It is archived and cannot run any more.';
  if (workflow.publishedVersion === null) return 'Nothing is published yet. Publish its draft in the editor.';
  if (!workflow.active) return 'It is not active. Activate it first.';
  return null;
}

/** null: it can be activated. */
export function whyNotActivate(workflow: State): string | null {
  if (workflow.archived) return 'It is archived and cannot run any more.';
  if (workflow.publishedVersion === null) return 'Nothing is published yet. Publish its draft in the editor.';
  return null;
}

/** The version that runs, in words. */
export function versionWords(workflow: Pick<WorkflowRow, 'publishedVersion' | 'latestVersion'>): string {
  if (workflow.publishedVersion === null) return '–';
  const rolledBack = workflow.latestVersion !== null && workflow.latestVersion !== workflow.publishedVersion;
  return rolledBack ? `${workflow.publishedVersion} of ${workflow.latestVersion}` : String(workflow.publishedVersion);
}
