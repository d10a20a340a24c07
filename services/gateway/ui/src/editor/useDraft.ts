/**
 * Keeping and publishing what is edited: the draft as it was last saved, whether the text differs from it, and what became of an
 * attempt. A draft is saved over the revision that it was made from and no other; what somebody else saved meanwhile is a conflict.
 */
import { useQueryClient } from '@tanstack/react-query';
import { type RefObject, useRef, useState } from 'react';
import { useNavigate } from 'react-router';
import { newKey } from '@/api/client';
import { Problem } from '@/api/problem';
import { failed, said } from '@/ui/toast';
import { reread } from '@/workflows/queries';
import { activate, create, type DraftSaved, publish, save } from './api';
import type { Conflict } from './ConflictDialog';
import { counted } from './ProblemList';
import type { Refused } from './useCheck';

/** The draft that is edited; without an id and revision one that was never saved. */
export interface Base {
  workflowId: string | null;
  source: string;
  revision: number;
  savedAt: string | null;
  savedBy: string | null;
  publishedVersion: number | null;
  /** The text of the version that runs; null if there is none, or if it is not known to be that of a draft seen here. */
  publishedSource: string | null;
  active: boolean;
  archived: boolean;
}

export interface Draft {
  base: Base;
  /** The text is not what was saved last. */
  dirty: boolean;
  /** The text is that of the version that runs. */
  upToDate: boolean;
  /** Somebody would miss it. */
  worthKeeping: boolean;
  busy: 'save' | 'publish' | 'activate' | null;
  refused: Refused | null;
  conflict: Conflict | null;
  save: () => void;
  publish: (andActivate: boolean) => void;
  /** Of a conflict: what the other one saved is what is edited from here on. */
  take: (theirs: Pick<Base, 'source' | 'revision' | 'savedAt' | 'savedBy'>) => void;
  /** Of a conflict: what is edited replaces what has this revision. */
  replace: (revision: number) => void;
  dropConflict: () => void;
  /** The page is left because the draft got an address. */
  moving: RefObject<boolean>;
}

/** What the page of a new workflow is opened with: the log position that it is to be read from at least. */
export interface Made {
  position: number;
}

/** `current` is the text as it is this moment, also between a change and what is rendered of it. */
export function useDraft(initial: Base, text: string, current: RefObject<string>, readOnly: boolean): Draft {
  const [base, setBase] = useState(initial);
  const [conflict, setConflict] = useState<Conflict | null>(null);
  const [refused, setRefused] = useState<Refused | null>(null);
  const [busy, setBusy] = useState<Draft['busy']>(null);
  const client = useQueryClient();
  const navigate = useNavigate();
  const moving = useRef(false);
  const firstKey = useRef({ text: '', key: newKey() });
  const written = useRef<Made | null>(null);
  const dirty = text !== base.source || base.workflowId === null;

  const saved = (answer: DraftSaved, source: string) => {
    setBase((before) => ({
      ...before,
      workflowId: answer.workflowId,
      source,
      revision: answer.draft.revision,
      savedAt: answer.draft.savedAt,
      savedBy: answer.draft.savedBy,
      publishedVersion: answer.publishedVersion,
      active: answer.active,
    }));
    setRefused(null);
    written.current = { position: answer.position };
    void reread(client, answer.workflowId, answer.position).catch(() => client.invalidateQueries());
  };
  const explain = (trouble: unknown, now: string) => {
    if (trouble instanceof Problem && trouble.code === 'draft_changed' && base.workflowId !== null) {
      const { revision, savedBy, savedAt } = trouble.extra;
      setConflict({
        workflowId: base.workflowId,
        revision: Number(revision),
        savedBy: String(savedBy),
        savedAt: String(savedAt),
      });
      return;
    }
    if (trouble instanceof Problem && trouble.code === 'workflow_name_taken')
      setRefused({ text: now, errors: [{ path: 'name', message: trouble.detail }] });
    else if (trouble instanceof Problem && trouble.errors.length > 0) setRefused({ text: now, errors: trouble.errors });
    failed('It was not saved', trouble);
  };
  /** The id once it is saved; null if it was not, which was said. */
  const ensureSaved = async (over?: number): Promise<string | null> => {
    const now = current.current;
    if (!dirty && base.workflowId !== null && over === undefined) return base.workflowId;
    try {
      if (base.workflowId === null) {
        // sent again after a lost answer it is the same workflow, not a second one
        if (firstKey.current.text !== now) firstKey.current = { text: now, key: newKey() };
        const answer = await create(now, firstKey.current.key);
        saved(answer, now);
        return answer.workflowId;
      }
      const answer = await save(base.workflowId, over ?? base.revision, now);
      saved(answer, now);
      return answer.workflowId;
    } catch (trouble) {
      explain(trouble, now);
      return null;
    }
  };
  const open = (workflowId: string) => {
    moving.current = true;
    const address = new URLSearchParams(window.location.search);
    address.delete('template');
    void navigate(`/automation/workflows/${workflowId}/edit?${address}`, { replace: true, state: written.current });
  };
  const doing = async (what: NonNullable<Draft['busy']>, work: () => Promise<void>) => {
    if (busy !== null) return;
    setBusy(what);
    try {
      await work();
    } finally {
      setBusy(null);
    }
  };
  const onSave = () => {
    if (readOnly || !dirty) return;
    void doing('save', async () => {
      const created = base.workflowId === null;
      const workflowId = await ensureSaved();
      if (workflowId === null) return;
      said('Draft saved');
      if (created) open(workflowId);
    });
  };
  const onPublish = (andActivate: boolean) =>
    void doing(andActivate ? 'activate' : 'publish', async () => {
      const created = base.workflowId === null;
      const now = current.current;
      const workflowId = await ensureSaved();
      if (workflowId === null) return;
      try {
        const published = await publish(workflowId);
        setBase((before) => ({ ...before, publishedVersion: published.version, publishedSource: now }));
        let { position } = published;
        written.current = { position };
        if (andActivate) {
          const changed = await activate(workflowId);
          setBase((before) => ({ ...before, active: changed.active }));
          position = changed.position;
          written.current = { position };
        }
        const heed = published.warnings.length > 0 ? `, with ${counted(published.warnings.length, 'warning')}` : '';
        said(`Version ${published.version} is published${andActivate ? ' and active' : ''}${heed}`);
        void reread(client, workflowId, position).catch(() => client.invalidateQueries());
      } catch (trouble) {
        if (trouble instanceof Problem && trouble.errors.length > 0) setRefused({ text: now, errors: trouble.errors });
        failed('It was not published', trouble);
      }
      if (created) open(workflowId);
    });
  return {
    base,
    dirty,
    upToDate: text === base.publishedSource,
    worthKeeping: text !== initial.source || (base.workflowId !== null && dirty),
    busy,
    refused,
    conflict,
    save: onSave,
    publish: onPublish,
    take: ({ source, revision, savedAt, savedBy }) => {
      setConflict(null);
      setBase((before) => ({ ...before, source, revision, savedAt, savedBy }));
    },
    replace: (revision) =>
      void doing('save', async () => {
        setConflict(null);
        if ((await ensureSaved(revision)) !== null) said('Draft saved');
      }),
    dropConflict: () => setConflict(null),
    moving,
  };
}
