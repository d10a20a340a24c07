import { ActionIcon, Button, Group } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { aroundOf, type GraphNode, idOf } from '@/graph';
import { find, levelOf } from '../AddMenu';
import { disconnect, swapEdges } from '../edits';
import classes from './Form.module.css';
import { MoveButtons, onMoveKeys, useOrder } from './Order';
import type { FormProps } from './props';

/** Where it leads, in which order, and what more can follow. */
export function Edges({ node, model, readOnly, edit, onAdd }: FormProps & { node: GraphNode }) {
  const level = levelOf(model, aroundOf(node.key));
  const leaving = level?.edges.filter((edge) => edge.from === node.key) ?? [];
  const name = (key: string) => find(model, key)?.name ?? idOf(key);
  const order = useOrder(
    leaving.map(({ to }) => `the edge to ${name(to)}`),
    !readOnly,
    (one, other) => edit((text) => swapEdges(text, model, leaving[one]?.key ?? '', leaving[other]?.key ?? '')),
  );
  if (readOnly && leaving.length === 0) return null;
  return (
    <fieldset className={classes.group} style={{ marginTop: 16 }}>
      <legend>Leads to</legend>
      <ul className={classes.edges} ref={order.list}>
        {leaving.map((edge, at) => {
          const moves = order.moves(at);
          return (
            // its place: what is moved takes the focus along
            // biome-ignore lint/suspicious/noArrayIndexKey: see above
            <li key={at} onKeyDown={onMoveKeys(moves)}>
              <span>
                {edge.port ?? 'then'} → {name(edge.to)}
              </span>
              {moves && <MoveButtons moves={moves} />}
              {!readOnly && (
                <ActionIcon
                  size="sm"
                  variant="subtle"
                  color="gray"
                  aria-label={`Remove the edge to ${idOf(edge.to)}`}
                  onClick={() => edit((text) => disconnect(text, model, edge.key))}
                >
                  <IconX size={14} aria-hidden />
                </ActionIcon>
              )}
            </li>
          );
        })}
      </ul>
      {order.told}
      {!readOnly && (
        <Group gap={6}>
          {(node.ports.length === 0 ? [null] : node.ports).map((port) => (
            <Button
              key={port ?? ''}
              size="compact-xs"
              variant="default"
              leftSection={<IconPlus size={12} aria-hidden />}
              onClick={() => onAdd({ kind: 'after', from: node.key, port })}
            >
              {port === null ? 'Add what follows' : `After ${port}`}
            </Button>
          ))}
        </Group>
      )}
    </fieldset>
  );
}
