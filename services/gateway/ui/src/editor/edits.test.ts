import { describe, expect, it } from 'vitest';
import { graphOfDocument } from '@/graph';
import {
  addAfter,
  addInto,
  addNode,
  connect,
  disconnect,
  freeId,
  mentions,
  removeNode,
  renameId,
  setField,
} from './edits';
import { BLANK } from './templates';
import { parsed } from './text/parsed';

const TEXT = `# what it is for
name: Restart   # kept
triggers: [{type: manual}]

nodes:
  # asks first
  - id: ask
    type: approval
    message: "Restart {{ inputs.host }}?"   # said to people

  - {id: probe, type: action, action: http.request, params: {url: "http://x/"}}   # cheap

  - id: restart
    type: action
    action: script.bash
    params:
      # careful
      script: |
        echo one
        echo two
    maxRetries: 2

  - id: each
    type: forEach
    items: inputs.hosts
    body:
      nodes:
        - {id: look, type: delay, seconds: 1}
      edges:
        - {from: item, to: look}

edges:
  - {from: trigger, to: ask}
  - {from: ask, port: approved, to: probe}   # only then
  - {from: probe, to: restart}
  - {from: restart, port: error, to: each}
`;

const graph = (text: string) => graphOfDocument(parsed(text).value);
const lines = (text: string) => text.split('\n');
/** What is in the one and not in the other. */
const added = (before: string, after: string) => lines(after).filter((line) => !lines(before).includes(line));
const gone = (before: string, after: string) => added(after, before);

describe('an edit of the graph', () => {
  it('adds a node behind another and connects it, and touches no other line', () => {
    const after = addAfter(TEXT, 'ask', 'rejected', { id: 'note', type: 'setVariables', values: { why: 'no' } });
    expect(gone(TEXT, after)).toEqual([]);
    expect(added(TEXT, after)).toEqual([
      '  - id: note',
      '    type: setVariables',
      '    values:',
      '      why: "no"',
      '  - {from: ask, port: rejected, to: note}',
    ]);
    expect(lines(after).indexOf('  - id: note')).toBe(
      lines(TEXT).indexOf('  - {id: probe, type: action, action: http.request, params: {url: "http://x/"}}   # cheap'),
    );
  });

  it('adds a node into an edge', () => {
    const key = graph(TEXT).edges.find((edge) => edge.to === 'probe')?.key ?? '';
    const after = addInto(TEXT, graph(TEXT), key, { id: 'wait', type: 'delay', seconds: 5 });
    expect(added(TEXT, after)).toContain('  - {from: ask, port: approved, to: wait}   # only then');
    expect(added(TEXT, after)).toContain('  - {from: wait, to: probe}');
  });

  it('adds a node to the body of a forEach', () => {
    const after = addAfter(TEXT, 'each/look', null, { id: 'then', type: 'delay', seconds: 2 });
    expect(gone(TEXT, after)).toEqual([]);
    expect(added(TEXT, after)).toEqual([
      '        - {id: then, type: delay, seconds: 2}',
      '        - {from: look, to: then}',
    ]);
  });

  it('makes the lists that are not there yet', () => {
    const after = connect(addNode('name: New\n', null, { id: 'a', type: 'parallel' }), {
      from: 'trigger',
      port: null,
      to: 'a',
    });
    expect(after).toBe('name: New\nnodes:\n  - id: a\n    type: parallel\nedges:\n  - {from: trigger, to: a}\n');
    expect(addNode('name: New\nnodes: []\nedges: []\n', null, { id: 'a', type: 'parallel' })).toBe(
      'name: New\nnodes:\n  - id: a\n    type: parallel\nedges: []\n',
    );
  });

  it('begins with what an empty workflow has', () => {
    const after = addAfter(BLANK, 'trigger', null, { id: 'a', type: 'delay', seconds: 1 });
    expect(after).toContain(
      'nodes:\n  - id: a\n    type: delay\n    seconds: 1\n\nedges:\n  - {from: trigger, to: a}\n',
    );
  });

  it('removes a node with its comment and its edges, and nothing else', () => {
    const after = removeNode(TEXT, 'probe');
    expect(added(TEXT, after)).toEqual([]);
    expect(gone(TEXT, after)).toEqual([
      '  - {id: probe, type: action, action: http.request, params: {url: "http://x/"}}   # cheap',
      '  - {from: ask, port: approved, to: probe}   # only then',
      '  - {from: probe, to: restart}',
    ]);
    expect(removeNode(TEXT, 'ask')).not.toContain('# asks first');
    const empty = removeNode(TEXT, 'each/look');
    expect(parsed(empty).value).toMatchObject({ nodes: { 3: { body: { nodes: [], edges: [] } } } });
    expect(empty).toContain('# careful');
  });

  it('takes away one edge, also of two that are alike', () => {
    const twice = TEXT.replace(
      '  - {from: probe, to: restart}\n',
      '  - {from: probe, to: restart}\n  - {from: probe, port: success, to: restart}\n',
    );
    const [first, second] = graph(twice).edges.filter((edge) => edge.from === 'probe');
    expect(gone(twice, disconnect(twice, graph(twice), first?.key ?? ''))).toEqual(['  - {from: probe, to: restart}']);
    expect(gone(twice, disconnect(twice, graph(twice), second?.key ?? ''))).toEqual([
      '  - {from: probe, port: success, to: restart}',
    ]);
  });

  it('names ports that mean something, in quotes where YAML would read a boolean', () => {
    const text = addNode(TEXT, null, { id: 'well', type: 'condition', expression: 'true' });
    const after = connect(text, { from: 'well', port: 'true', to: 'each' });
    expect(after).toContain('  - {from: well, port: "true", to: each}');
  });

  it('renames a node in its edges and counts what expressions say of it', () => {
    const after = renameId(TEXT, 'probe', 'look2');
    expect(after).toContain('  - {from: ask, port: approved, to: look2}   # only then');
    expect(after).toContain('  - {id: look2, type: action, action: http.request');
    expect(parsed(after).problem).toBeNull();
    expect(mentions('a: nodes.probe.output\nb: nodes.probes.x\nc: "{{ nodes.probe.error }}"', 'nodes.probe')).toBe(2);
  });

  it('finds an id that is free in the whole document', () => {
    const { value } = parsed(TEXT);
    expect(freeId(value, 'look')).toBe('look2');
    expect(freeId(value, 'http.request')).toBe('http_request');
    expect(freeId(value, 'trigger')).toBe('trigger2');
  });
});

describe('a field of the form', () => {
  it('changes its own place only', () => {
    const after = setField(TEXT, 'ask', 'message', 'Sure?');
    expect(added(TEXT, after)).toEqual(['    message: Sure?   # said to people']);
    expect(added(TEXT, setField(TEXT, 'restart', 'maxRetries', 5))).toEqual(['    maxRetries: 5']);
    expect(gone(TEXT, setField(TEXT, 'restart', 'maxRetries', undefined))).toEqual(['    maxRetries: 2']);
    expect(added(TEXT, setField(TEXT, 'ask', 'name', 'Ask: me'))).toEqual(['    name: "Ask: me"']);
  });

  it('keeps comments within what it changes', () => {
    const after = setField(TEXT, 'restart', 'params', { script: 'echo one\necho three\n', env: { A: '1' } });
    expect(after).toContain(
      '      # careful\n      script: |\n        echo one\n        echo three\n      env:\n        A: "1"\n    maxRetries: 2',
    );
    expect(gone(TEXT, after)).toEqual(['        echo two']);
  });

  it('writes into what stands on one line on that line', () => {
    const after = setField(TEXT, 'probe', 'params', { url: 'http://x/', method: 'POST' });
    expect(added(TEXT, after)).toEqual([
      '  - {id: probe, type: action, action: http.request, params: {url: "http://x/", method: POST}}   # cheap',
    ]);
    expect(added(TEXT, setField(TEXT, 'probe', 'timeoutSeconds', 5))).toEqual([
      '  - {id: probe, type: action, action: http.request, params: {url: "http://x/"}, timeoutSeconds: 5}   # cheap',
    ]);
  });

  it('writes texts so that no reader of YAML takes them for something else', () => {
    for (const text of [
      'no',
      '1_000',
      '2026-11-23',
      '007',
      '{{ inputs.host }}',
      'a: b',
      ' x',
      '',
      'true',
      '# y',
      '1e3',
      '12:30:45',
    ]) {
      const after = setField(TEXT, 'ask', 'message', text);
      expect(parsed(after).value).toMatchObject({ nodes: { 0: { message: text } } });
    }
    expect(setField(TEXT, 'ask', 'message', '2026-11-23')).toContain('message: "2026-11-23"');
  });

  it('works in JSON, which stays JSON', () => {
    const json = JSON.stringify(parsed(TEXT).value);
    const after = JSON.parse(setField(json, 'ask', 'name', 'Ask'));
    expect(after.nodes[0].name).toBe('Ask');
  });

  it('works where anchors are, if need be by writing the document anew with its comments', () => {
    const text = 'name: A # here\nbase: &base {x: 1}\nnodes:\n  - {id: a, type: action, action: x, params: *base}\n';
    const after = setField(text, 'a', 'params', { x: 2 });
    expect(parsed(after).value).toMatchObject({ base: { x: 1 }, nodes: [{ params: { x: 2 } }] });
    expect(after).toContain('# here');
  });

  it('writes over several lines what no longer fits on one', () => {
    const script = setField(TEXT, 'probe', 'params', { url: 'http://x/', body: 'one\ntwo\n' });
    expect(gone(TEXT, script)).toHaveLength(1);
    expect(script).toContain(`  # cheap
  - id: probe
    type: action
    action: http.request
    params:
      url: http://x/
      body: |
        one
        two
`);
    const name = 'A name that is as long as any that somebody would ever give to a step of a workflow';
    const long = setField(TEXT, 'probe', 'name', name);
    expect(long).toContain(`  - id: probe\n    type: action\n`);
    expect(long).toContain(`    name: ${name}\n`);
    expect(setField(TEXT, 'probe', 'name', 'Probe')).toContain('{id: probe, type: action, name: Probe, action:');
  });
});
