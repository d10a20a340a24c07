/** What may be added at a place of the graph: a node that is there already (connected), a type of node, an action. */
import { Modal, Text, TextInput } from '@mantine/core';
import { IconPlugConnected, IconSearch, IconTerminal2, type TablerIcon } from '@tabler/icons-react';
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from 'react';
import { aroundOf, type GraphModel, type GraphNode, lookOf, NODE_TYPES, type Place } from '@/graph';
import { closesCircle } from '@/graph/model';
import type { Surroundings } from './completion/options';
import classes from './Editor.module.css';
import { useFocusBack } from './useFocusBack';

export type Choice =
  | { kind: 'connect'; to: string }
  | { kind: 'type'; type: string }
  | { kind: 'action'; action: Surroundings['actions'][number] };

interface Entry {
  key: string;
  group: string;
  label: string;
  does: string;
  icon: TablerIcon;
  choice: Choice;
}

const SOURCES: ReadonlySet<string> = new Set(['trigger', 'item']);

export function AddMenu({
  place,
  model,
  known,
  onChoose,
  onClose,
}: {
  place: Place;
  model: GraphModel;
  known: Surroundings;
  onChoose: (choice: Choice) => void;
  onClose: () => void;
}) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  useFocusBack();
  const all = useMemo(() => entries(place, model, known), [place, model, known]);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = all.filter((each) => {
    const haystack = `${each.label} ${each.does} ${each.group}`.toLowerCase();
    return words.every((word) => haystack.includes(word));
  });
  const current = Math.min(at, found.length - 1);
  useEffect(() => {
    list.current?.querySelector(`[data-at="${current}"]`)?.scrollIntoView({ block: 'nearest' });
  }, [current]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      setAt(Math.max(0, Math.min(found.length - 1, current + (event.key === 'ArrowDown' ? 1 : -1))));
    } else if (event.key === 'Enter') {
      event.preventDefault();
      const chosen = found[current];
      if (chosen) onChoose(chosen.choice);
    }
  };

  return (
    <Modal opened onClose={onClose} title={titleOf(place, model)} size="lg" padding="md">
      <TextInput
        aria-label="Search for what to add"
        placeholder="Search: approval, ssh, restart…"
        leftSection={<IconSearch size={15} aria-hidden />}
        value={text}
        onChange={({ currentTarget }) => {
          setText(currentTarget.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
        role="combobox"
        aria-expanded
        aria-controls={`${id}-list`}
        aria-activedescendant={found.length > 0 ? `${id}-${current}` : undefined}
        autoComplete="off"
        data-autofocus
      />
      <div ref={list} id={`${id}-list`} className={classes.palette} role="listbox" aria-label="What can be added">
        {found.map((each, place) => {
          const Icon = each.icon;
          return (
            <div key={each.key} role="presentation">
              {found[place - 1]?.group !== each.group && (
                <div className={classes.paletteGroup} role="presentation">
                  {each.group}
                </div>
              )}
              {/* biome-ignore lint/a11y/useFocusableInteractive: aria-activedescendant stands for the focus */}
              {/* biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the field above, as in every combobox */}
              <div
                id={`${id}-${place}`}
                data-at={place}
                role="option"
                aria-selected={place === current}
                className={classes.paletteEntry}
                onMouseMove={() => setAt(place)}
                onClick={() => onChoose(each.choice)}
              >
                <Icon size={17} aria-hidden />
                <span className={classes.paletteLabel}>{each.label}</span>
                <span className={classes.paletteDoes}>{each.does}</span>
              </div>
            </div>
          );
        })}
      </div>
      {found.length === 0 && (
        <Text size="sm" c="dimmed" py="md">
          Nothing has these words. Agents can offer further actions; they show here once an agent announced them.
        </Text>
      )}
    </Modal>
  );
}

function titleOf(place: Place, model: GraphModel): string {
  if (place.kind === 'edge') return 'Add between two nodes';
  if (place.kind === 'within') return place.around === null ? 'Add a node' : 'Add a node to the body';
  const name = find(model, place.from)?.name ?? place.from;
  return place.port === null ? `Add after ${name}` : `Add after ${name}, ${place.port}`;
}

function entries(place: Place, model: GraphModel, known: Surroundings): Entry[] {
  const types = Object.entries(NODE_TYPES).filter(([type]) => !SOURCES.has(type) && type !== 'action');
  return [
    ...known.actions.map(
      (action): Entry => ({
        key: `action ${action.type}`,
        group: 'Actions',
        label: action.type,
        does: firstSentence(action.description),
        icon: IconTerminal2,
        choice: { kind: 'action', action },
      }),
    ),
    ...types.map(
      ([type, look]): Entry => ({
        key: `type ${type}`,
        group: 'Steps',
        label: look.label,
        does: look.does,
        icon: look.icon,
        choice: { kind: 'type', type },
      }),
    ),
    ...(place.kind === 'after' ? targets(place, model) : []).map(
      (node): Entry => ({
        key: `connect ${node.key}`,
        group: 'Connect to a node that is there',
        label: node.name,
        does: `${lookOf(node.type).label} ${node.id}`,
        icon: IconPlugConnected,
        choice: { kind: 'connect', to: node.key },
      }),
    ),
  ];
}

/** Nodes that an edge from there may lead to. */
export function targets(place: { from: string; port: string | null }, model: GraphModel): GraphNode[] {
  const level = levelOf(model, aroundOf(place.from));
  if (level === null) return [];
  return level.nodes.filter(
    (node) =>
      !SOURCES.has(node.type) &&
      node.key !== place.from &&
      !closesCircle(level, place.from, node.key) &&
      !level.edges.some((edge) => edge.from === place.from && edge.port === place.port && edge.to === node.key),
  );
}

export function levelOf(model: GraphModel, around: string | null): GraphModel | null {
  return around === null ? model : (find(model, around)?.body ?? null);
}

export function find(model: GraphModel, key: string): GraphNode | null {
  for (const node of model.nodes) {
    if (node.key === key) return node;
    const inner = node.body ? find(node.body, key) : null;
    if (inner) return inner;
  }
  return null;
}

function firstSentence(text: string): string {
  const plain = text.replaceAll('\n', ' ').replaceAll('`', '');
  const end = plain.search(/\.( |$)/);
  return end < 0 ? plain : plain.slice(0, end);
}
