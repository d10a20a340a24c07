/** The types of nodes: their words and their icons, for graphs, lists and menus. */
import {
  IconArrowsJoin2,
  IconArrowsSplit,
  IconArrowsSplit2,
  IconBolt,
  IconGitBranch,
  IconHandStop,
  IconHourglass,
  IconLifebuoy,
  IconPackage,
  IconQuestionMark,
  IconRepeat,
  IconRoute,
  IconTerminal2,
  IconVariable,
  type TablerIcon,
} from '@tabler/icons-react';

export interface NodeLook {
  label: string;
  icon: TablerIcon;
  /** What it does, in one line. */
  does: string;
}

export const NODE_TYPES: Readonly<Record<string, NodeLook>> = {
  trigger: { label: 'Trigger', icon: IconBolt, does: 'Where every execution begins' },
  item: { label: 'Item', icon: IconPackage, does: 'Where every iteration begins' },
  action: { label: 'Action', icon: IconTerminal2, does: 'Runs a job on an agent' },
  condition: { label: 'Condition', icon: IconGitBranch, does: 'Goes one way or the other' },
  switch: { label: 'Switch', icon: IconArrowsSplit, does: 'Goes the way of the case that matches' },
  approval: { label: 'Approval', icon: IconHandStop, does: 'Waits until people decide' },
  delay: { label: 'Delay', icon: IconHourglass, does: 'Waits for a time' },
  parallel: { label: 'Parallel', icon: IconArrowsSplit2, does: 'Goes all ways at once' },
  join: { label: 'Join', icon: IconArrowsJoin2, does: 'Goes on when its branches have come' },
  forEach: { label: 'For each', icon: IconRepeat, does: 'Runs its body for each item of a list' },
  subworkflow: { label: 'Subworkflow', icon: IconRoute, does: 'Runs another workflow and waits for it' },
  setVariables: { label: 'Set variables', icon: IconVariable, does: 'Names values for later nodes' },
  errorHandler: { label: 'Error handler', icon: IconLifebuoy, does: 'Is reached when a node before it fails' },
};

export function lookOf(type: string): NodeLook {
  return NODE_TYPES[type] ?? { label: type || 'No type', icon: IconQuestionMark, does: 'Not a type of node' };
}
