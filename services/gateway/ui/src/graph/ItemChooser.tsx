/** Which iteration of a forEach the graph shows: without one, the nodes of its body have no one state. */
import { ActionIcon, TextInput } from '@mantine/core';
import { IconChevronLeft, IconChevronRight, IconX } from '@tabler/icons-react';
import { useSearchParams } from 'react-router';
import { useChangeParams } from '@/ui/params';
import { chosenIndex, itemPath } from './executionStates';
import { allNodes, type GraphModel, type GraphNode } from './model';
import type { NodeState } from './props';
import classes from './WorkflowGraph.module.css';

export function ItemChooser({ model, states }: { model: GraphModel; states: ReadonlyMap<string, NodeState> }) {
  const [params] = useSearchParams();
  const change = useChangeParams();
  const item = params.get('item');
  const choose = (path: string | null) =>
    change((after) => (path === null ? after.delete('item') : after.set('item', path)), { replace: true });
  // there from the beginning, so that nothing moves when the first is entered
  const loops = allNodes(model).filter((node) => node.type === 'forEach' && itemPath(node.key, 0, item) !== null);
  if (loops.length === 0) return null;
  return (
    <div className={classes.items}>
      {loops.slice(0, 3).map((node) => (
        <Chooser
          key={node.key}
          node={node}
          total={states.get(node.key)?.progress?.total ?? 0}
          item={item}
          choose={choose}
        />
      ))}
    </div>
  );
}

function Chooser({
  node,
  total,
  item,
  choose,
}: {
  node: GraphNode;
  total: number;
  item: string | null;
  choose: (path: string | null) => void;
}) {
  const index = chosenIndex(node.key, item);
  const last = total - 1;
  const go = (to: number) => choose(itemPath(node.key, Math.min(Math.max(to, 0), last), item));
  return (
    <fieldset className={classes.chooser}>
      <legend className="visually-hidden">Iteration of {node.name} that is shown</legend>
      <span className={classes.chooserName} title={node.name}>
        Iteration of <strong>{node.name}</strong>
      </span>
      <ActionIcon
        size="sm"
        variant="subtle"
        color="gray"
        disabled={index === null || index <= 0}
        onClick={() => go((index ?? 0) - 1)}
        aria-label="Iteration before"
      >
        <IconChevronLeft size={14} aria-hidden />
      </ActionIcon>
      <TextInput
        inputMode="numeric"
        size="xs"
        w={64}
        placeholder="all"
        disabled={total === 0}
        value={index ?? ''}
        onChange={({ currentTarget: { value } }) => (/^\d+$/.test(value) ? go(Number(value)) : choose(null))}
        aria-label={`Iteration of ${node.name}`}
      />
      <ActionIcon
        size="sm"
        variant="subtle"
        color="gray"
        disabled={total === 0 || index === last}
        onClick={() => go(index === null ? 0 : index + 1)}
        aria-label="Iteration after"
      >
        <IconChevronRight size={14} aria-hidden />
      </ActionIcon>
      <span className="numbers">{total === 0 ? 'none yet' : `0 to ${last}`}</span>
      {index !== null && (
        <ActionIcon size="sm" variant="subtle" color="gray" onClick={() => choose(null)} aria-label="All iterations">
          <IconX size={14} aria-hidden />
        </ActionIcon>
      )}
    </fieldset>
  );
}
