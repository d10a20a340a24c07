import { ActionIcon, Button, Group, Menu } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { aroundOf, type GraphModel, type GraphNode, idOf } from '@/graph';
import { find, levelOf, targets } from '../AddMenu';
import { connect, disconnect, swapEdges } from '../edits';
import classes from './Form.module.css';
import { MoveButtons, onMoveKeys, useOrder } from './Order';
import type { FormProps } from './props';

/** Where it leads, and the way to connect it without a mouse. */
export function Edges({ node, model, readOnly, edit }: FormProps & { node: GraphNode }) {
  const level = levelOf(model, aroundOf(node.key));
  const leaving = level?.edges.filter((edge) => edge.from === node.key) ?? [];
  const name = (key: string) => find(model, key)?.name ?? idOf(key);
  const order = useOrder(
    leaving.map(({ to }) => `the edge to ${name(to)}`),
    !readOnly,
    (one, other) => edit((text) => swapEdges(text, model, leaving[one]?.key ?? '', leaving[other]?.key ?? '')),
  );
  const ports = (node.ports.length === 0 ? [null] : node.ports).filter(
    (port) => targets({ from: node.key, port }, model).length > 0,
  );
  if (leaving.length === 0 && ports.length === 0) return null;
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
          {ports.map((port) => (
            <ConnectMenu key={port ?? ''} from={node.key} port={port} model={model} edit={edit} />
          ))}
        </Group>
      )}
    </fieldset>
  );
}

function ConnectMenu({
  from,
  port,
  model,
  edit,
}: {
  from: string;
  port: string | null;
  model: GraphModel;
  edit: FormProps['edit'];
}) {
  const choices = targets({ from, port }, model);
  return (
    <Menu>
      <Menu.Target>
        <Button size="compact-xs" variant="default" leftSection={<IconPlus size={12} aria-hidden />}>
          {port === null ? 'Connect' : `Connect ${port}`}
        </Button>
      </Menu.Target>
      <Menu.Dropdown mah={320} style={{ overflowY: 'auto' }}>
        {choices.map((target) => (
          <Menu.Item key={target.key} onClick={() => edit((text) => connect(text, { from, port, to: target.key }))}>
            {target.name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
