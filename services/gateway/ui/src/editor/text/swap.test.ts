import { describe, expect, it } from 'vitest';
import { graphOfDocument } from '@/graph';
import { swapEdges } from '../edits';
import { inputsOf, swapInputs } from '../inputs';
import { parsed } from './parsed';
import { withSwapped } from './swap';

const INPUTS = `name: Restart   # kept
inputs:
  type: object
  properties:
    # where
    host: {type: string}   # its name

    # how often
    times:
      type: integer
      # no more
      maximum: 3
      # (asked of nobody)
    note:
      type: string
      description: |
        why
        at all
  required: [host]
`;
const names = (text: string) => inputsOf(parsed(text).value).map(([name]) => name);

describe('two that change places', () => {
  it('take their comments along, and leave all else as it is written', () => {
    const once = swapInputs(INPUTS, 0, 1);
    expect(once).toContain(`  properties:
    # how often
    times:
      type: integer
      # no more
      maximum: 3
      # (asked of nobody)

    # where
    host: {type: string}   # its name
    note:`);
    expect(swapInputs(once, 0, 1)).toBe(INPUTS);
    const last = swapInputs(INPUTS, 1, 2);
    expect(names(last)).toEqual(['host', 'note', 'times']);
    expect(swapInputs(last, 1, 2)).toBe(INPUTS);
    expect(swapInputs(INPUTS, 2, 3)).toBe(INPUTS);
  });

  it('may stand on one line, in JSON, or at an end without a line break', () => {
    expect(swapInputs('inputs: {properties: {a: {type: string}, b: {type: number}}}', 0, 1)).toBe(
      'inputs: {properties: {b: {type: number}, a: {type: string}}}',
    );
    expect(names(swapInputs('{"inputs": {"properties": {"a": {}, "b": {}}}}', 0, 1))).toEqual(['b', 'a']);
    expect(withSwapped('- a # one\n- b', [], 0, 1)).toBe('- b\n- a # one');
    expect(withSwapped('list: [a, b, c]', ['list'], 0, 2)).toBe('list: [c, b, a]');
    expect(withSwapped('- - a\n  - b\n- c\n', [0], 0, 1)).toBe('- - b\n  - a\n- c\n');
    expect(withSwapped('- &x a\n- *x\n- c\n', [], 1, 2)).toBe('- &x a\n- c\n- *x\n');
  });

  it('are edges of one node, whatever stands between them', () => {
    const text = `nodes:
  - {id: all, type: parallel}
  - {id: one, type: delay, seconds: 1}
  - {id: two, type: delay, seconds: 1}
edges:
  - {from: trigger, to: all}
  - {from: all, port: a, to: one} # first
  - {from: one, to: two}
  - {from: all, port: b, to: two}
`;
    const model = graphOfDocument(parsed(text).value);
    const [a, b] = model.edges.filter((edge) => edge.from === 'all').map((edge) => edge.key);
    expect(
      swapEdges(text, model, a ?? '', b ?? '')
        .split('\n')
        .slice(5, 9),
    ).toEqual([
      '  - {from: trigger, to: all}',
      '  - {from: all, port: b, to: two}',
      '  - {from: one, to: two}',
      '  - {from: all, port: a, to: one} # first',
    ]);
  });
});
