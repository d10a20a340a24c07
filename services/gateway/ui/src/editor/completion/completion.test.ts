import { describe, expect, it } from 'vitest';
import { parsed } from '../text/parsed';
import { completionAt, type Surroundings } from './options';
import { pathsAt } from './paths';

const KNOWN: Surroundings = {
  actions: [
    {
      type: 'http.request',
      description: 'One request',
      params: {
        properties: { url: { type: 'string' }, method: { type: 'string', enum: ['GET', 'POST'] } },
        required: ['url'],
      },
      output: { properties: { statusCode: { type: 'integer' }, body: { type: 'string' } } },
      connections: ['http'],
    },
    {
      type: 'script.bash',
      description: '',
      params: {},
      output: { properties: { stdout: {} } },
      connections: ['secrets'],
    },
  ],
  connections: [
    { name: 'shop', kind: 'http', description: '' },
    { name: 'mail', kind: 'smtp', description: '' },
  ],
  pools: [{ name: 'default', description: '' }],
  workflows: [{ name: 'Back up files' }],
};

/** The caret is at |. */
function offered(text: string): string[] {
  const at = text.indexOf('|');
  const found = completionAt(text.slice(0, at) + text.slice(at + 1), at, KNOWN);
  return found?.options.map(({ label }) => label) ?? [];
}

const NODES = `name: A
inputs: {type: object, properties: {host: {type: string}}}
nodes:
  - {id: probe, type: action, action: http.request, params: {url: x}}
  - {id: well, type: condition, expression: "true"}
  - {id: note, type: setVariables, values: {verdict: x}}
`;

describe('completion', () => {
  it('offers the fields of the document, and of a node by its type, without those that are there', () => {
    expect(offered('name: A\n|')).toEqual(expect.arrayContaining(['nodes', 'edges', 'triggers']));
    expect(offered('name: A\n|')).not.toContain('name');
    expect(offered('nodes:\n  - id: a\n    type: delay\n    se|\n')).toEqual(['name', 'seconds', 'until']);
    expect(offered('nodes:\n  - {id: a, type: approval, |}\n')).toContain('approvers');
    expect(offered('nodes:\n  - |')).toContain('type');
    expect(offered('nodes:\n  - id: a\n    type: delay\n  - id: b\n    type: |\n')).toContain('forEach');
  });

  it('offers parameters of the action, and their values', () => {
    const node = 'nodes:\n  - id: a\n    type: action\n    action: http.request\n    params:\n';
    expect(offered(`${node}      url: x\n      |`)).toEqual(['method']);
    expect(offered(`${node}      url: x\n      method: |`)).toEqual(['GET', 'POST']);
    expect(offered('nodes:\n  - {id: a, type: action, action: ht|}')).toEqual(['http.request', 'script.bash']);
  });

  it('offers what there is to refer to', () => {
    const node = 'nodes:\n  - id: a\n    type: action\n    action: http.request\n';
    expect(offered(`${node}    connection: |`)).toEqual(['shop']);
    expect(offered(`${node}    pool: |`)).toEqual(['default']);
    expect(offered('nodes:\n  - id: a\n    type: subworkflow\n    workflow: B|')).toEqual(['Back up files']);
    expect(offered(`${node}    critical: |`)).toEqual(['true', 'false']);
  });

  it('offers ids and ports in edges', () => {
    expect(offered(`${NODES}edges:\n  - {from: |}`)).toEqual(['trigger', 'probe', 'well', 'note']);
    expect(offered(`${NODES}edges:\n  - {from: well, port: |, to: note}`)).toEqual(['true', 'false']);
    expect(offered(`${NODES}edges:\n  - from: probe\n    to: |\n`)).toEqual(['probe', 'well', 'note']);
    const body =
      'nodes:\n  - id: each\n    type: forEach\n    body:\n      nodes: [{id: look, type: delay}]\n      edges:\n';
    expect(offered(`${body}        - {from: i|}`)).toEqual(['item', 'look']);
  });

  it('offers paths in templates and expressions', () => {
    const message = (text: string) => offered(`${NODES}  - {id: ask, type: approval, message: "Is ${text}"}\n`);
    expect(message('{{ |')).toEqual(expect.arrayContaining(['inputs', 'nodes', 'vars']));
    expect(message('{{ inputs.| }} ok')).toEqual(['host']);
    expect(message('{{ nodes.| }}')).toEqual(['probe', 'well', 'note', 'ask']);
    expect(message('{{ nodes.probe.output.|')).toEqual(['statusCode', 'body']);
    expect(message('{{ vars.v|')).toEqual(['verdict']);
    expect(
      offered(
        `${NODES}  - id: c\n    type: condition\n    expression: nodes.probe.output.statusCode == 200 && inputs.|\n`,
      ),
    ).toEqual(['host']);
    const script = `${NODES}  - id: s\n    type: action\n    action: script.bash\n    params:\n      script: |-\n        echo {{ nodes.probe.output.^\n`;
    expect(
      completionAt(script.replace('^', ''), script.indexOf('^'), KNOWN)?.options.map(({ label }) => label),
    ).toEqual(['statusCode', 'body']);
  });

  it('offers nothing in comments and in texts', () => {
    expect(offered('name: A # no|')).toEqual([]);
    expect(offered('name: A|')).toEqual([]);
  });

  it('offers a condition what came before it, with what each holds', () => {
    const source = `${NODES}  - {id: each, type: forEach, body: {nodes: [{id: here, type: condition}]}}\n`;
    const { value } = parsed(source);
    const found = pathsAt(value, ['nodes', 3, 'body', 'nodes', 0], KNOWN);
    expect(found.slice(0, 5)).toEqual([
      { path: 'nodes.probe.output.statusCode', kind: 'number' },
      { path: 'nodes.probe.output.body', kind: 'text' },
      { path: 'inputs.host', kind: 'text' },
      { path: 'vars.verdict', kind: null },
      { path: 'item', kind: null },
    ]);
  });
});
