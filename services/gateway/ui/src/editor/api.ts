/** What the editor asks of the API: documents go as the text that was written. */
import { api, newKey, take } from '@/api/client';
import { Problem } from '@/api/problem';
import type { components } from '@/api/schema';
import { isJson } from './text/splice';

type Schemas = components['schemas'];
export type DraftSaved = Schemas['DraftSaved'];
export type Published = Schemas['Published'];

export interface Checked {
  errors: readonly { path: string; message: string }[];
  warnings: readonly { path: string; message: string }[];
}

export function formatOf(text: string): 'yaml' | 'json' {
  return isJson(text) ? 'json' : 'yaml';
}

function document(text: string) {
  return {
    body: text as never,
    bodySerializer: (body: unknown) => body as BodyInit,
    headers: { 'Content-Type': formatOf(text) === 'json' ? 'application/json' : 'application/yaml' },
  };
}

export async function check(text: string, signal: AbortSignal): Promise<Checked> {
  try {
    const { errors, warnings } = await take(api.POST('/api/v1/workflows/validate', { ...document(text), signal }));
    return { errors, warnings };
  } catch (trouble) {
    // what cannot even be a draft is a problem of the document like any other
    if (trouble instanceof Problem && (trouble.status === 422 || trouble.status === 400)) {
      const errors = trouble.errors.length > 0 ? trouble.errors : [{ path: '', message: trouble.detail }];
      return { errors, warnings: [] };
    }
    throw trouble;
  }
}

export function create(text: string, key: string = newKey()): Promise<DraftSaved> {
  const { headers, ...body } = document(text);
  return take(api.POST('/api/v1/workflows', { ...body, headers: { ...headers, 'Idempotency-Key': key } }));
}

/** Over the draft with this revision only. */
export function save(workflowId: string, revision: number, text: string): Promise<DraftSaved> {
  const { headers, ...body } = document(text);
  return take(
    api.PUT('/api/v1/workflows/{workflowId}/draft', {
      params: { path: { workflowId } },
      ...body,
      headers: { ...headers, 'If-Match': `"${revision}"` },
    }),
  );
}

export function publish(workflowId: string): Promise<Published> {
  return take(api.POST('/api/v1/workflows/{workflowId}/publish', { params: { path: { workflowId } } }));
}

export function activate(workflowId: string) {
  return take(api.POST('/api/v1/workflows/{workflowId}/activate', { params: { path: { workflowId } } }));
}
