import type { GraphModel, Place } from '@/graph';
import type { Placed } from '../places';
import type { Parsed } from '../text/parsed';
import type { Known } from '../useSurroundings';

/** What each form of the editor is given: the document as the last text that is YAML has it, and a way to change the text. */
export interface FormProps {
  parsed: Parsed;
  model: GraphModel;
  selected: string | null;
  problems: readonly Placed[];
  known: Known;
  readOnly: boolean;
  /** `together`: typing, which is undone together. */
  edit: (change: (text: string) => string, together?: boolean) => void;
  onSelect: (key: string | null) => void;
  onAdd: (place: Place) => void;
  onDelete: (what: { nodes: readonly string[]; edges: readonly string[] }) => void;
  /** The node that was just added: its form takes the focus. */
  isNew: (key: string) => boolean;
}
