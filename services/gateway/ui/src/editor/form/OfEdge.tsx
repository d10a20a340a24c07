/** An edge: which outcome of its node it follows. */
import { Button, Select, Title } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { type GraphModel, idOf } from '@/graph';
import { find } from '../AddMenu';
import { connect, disconnect } from '../edits';
import classes from './Form.module.css';
import type { FormProps } from './props';

export function OfEdge({
  level,
  edge,
  model,
  readOnly,
  edit,
  onSelect,
  onDelete,
}: FormProps & { level: GraphModel; edge: GraphModel['edges'][number] }) {
  const from = find(level, edge.from);
  const name = (key: string) => level.nodes.find((node) => node.key === key)?.name ?? idOf(key);
  return (
    <div className={classes.form}>
      <div className={classes.head}>
        <Title order={2} mr="auto">
          {name(edge.from)} → {name(edge.to)}
        </Title>
        {!readOnly && (
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconTrash size={14} aria-hidden />}
            onClick={() => onDelete({ nodes: [], edges: [edge.key] })}
          >
            Delete
          </Button>
        )}
      </div>
      {from && from.ports.length > 1 && (
        <Select
          size="xs"
          label="Port"
          description="Which outcome of the node it follows"
          data={[...from.ports]}
          value={edge.port}
          disabled={readOnly}
          allowDeselect={false}
          onChange={(port) => {
            if (port === null || port === edge.port) return;
            edit((text) => connect(disconnect(text, model, edge.key), { from: edge.from, port, to: edge.to }));
            onSelect(edge.from);
          }}
        />
      )}
    </div>
  );
}
