import { expect, it } from 'vitest';
import { nodeKeyOfOffset, placed } from './places';
import { parsed } from './text/parsed';

const TEXT = `name: A
nodes:
  - id: ask
    type: approval
  - id: each
    type: forEach
    body:
      nodes:
        - {id: look, type: action, action: http.reqest}
edges:
  - {from: trigger, to: nobody}
`;

it('puts a problem on the line of its field, and at its node', () => {
  const document = parsed(TEXT);
  const at = (path: string) => {
    const { line, from, to, node } = placed(document, { path, message: 'is wrong' }, 'error');
    return [line, TEXT.slice(from, to), node];
  };
  expect(at('nodes[1].body.nodes[0].action')).toEqual([9, 'action: http.reqest', 'each/look']);
  expect(at('edges[0].to')).toEqual([11, 'to: nobody', null]);
  expect(at('nodes[0].message')).toEqual([3, 'id: ask', 'ask']);
  expect(at('nodes[0]')).toEqual([3, 'id: ask', 'ask']);
  expect(at('triggers')).toEqual([1, 'name: A', null]);
  expect(at('')).toEqual([1, 'name: A', null]);
});

it('finds the node around the caret', () => {
  const document = parsed(TEXT);
  expect(nodeKeyOfOffset(document, TEXT.indexOf('http.'))).toBe('each/look');
  expect(nodeKeyOfOffset(document, TEXT.indexOf('approval'))).toBe('ask');
  expect(nodeKeyOfOffset(document, TEXT.indexOf('trigger'))).toBeNull();
});
