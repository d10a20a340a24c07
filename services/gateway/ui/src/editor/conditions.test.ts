import { describe, expect, it } from 'vitest';
import {
  asTerm,
  changed,
  fitsIncident,
  joinedBy,
  termsOf,
  withMore,
  withoutTerm,
  withTerm,
  written,
} from './conditions';

const rows = (condition: string) => termsOf(condition)?.terms.map(({ row, text }) => row ?? text);

describe('the condition of an incident trigger', () => {
  it('is rows of which all or any must hold, each written again as it was', () => {
    const all = [
      'incident.severity in ["critical", "high"]',
      '!(incident.team in ["web"])',
      'incident.service == "web \\"front\\" && more"',
      'incident.status != "resolved"',
      'incident.host.startsWith("db-")',
      '!incident.title.contains("test")',
      'incident.source.matches("^a|b\\\\d$")',
      '"prod" in incident.tags',
      '!("quiet" in incident.tags)',
    ];
    for (const joint of ['&&', '||'] as const) {
      const found = termsOf(all.join(` ${joint} `));
      expect(found?.joint).toBe(joint);
      expect(found?.terms.map(({ row }) => row && written(row))).toEqual(all);
    }
    expect(rows('incident.source.matches("^a|b\\\\d$")')).toEqual([
      { field: 'incident.source', comparison: 'matches', values: ['^a|b\\d$'] },
    ]);
  });

  it('keeps what is no row as text, in its place and as it is written', () => {
    const condition = 'incident.severity==\'high\'\n  && (incident.team == "web" || size(incident.tags) > 2)';
    expect(rows(condition)).toEqual([
      { field: 'incident.severity', comparison: 'is', values: ['high'] },
      '(incident.team == "web" || size(incident.tags) > 2)',
    ]);
    const [first] = termsOf(condition)?.terms ?? [];
    expect(first && withTerm(condition, first, 'incident.host != ""')).toBe(
      'incident.host != ""\n  && (incident.team == "web" || size(incident.tags) > 2)',
    );
    expect(
      termsOf('incident.severity > 1 && incident.other == "x"', fitsIncident)?.terms.map(({ row }) => row),
    ).toEqual([null, null]);
    expect(rows('incident.a ? true : false || true')).toEqual(['incident.a ? true : false || true']);
    expect(rows('incident.host == "\\u0041" && incident.severity == incident.status')).toEqual([
      'incident.host == "\\u0041"',
      'incident.severity == incident.status',
    ]);
    expect(rows('a && b || incident.id == "1"')).toEqual([
      'a && b',
      { field: 'incident.id', comparison: 'is', values: ['1'] },
    ]);
    for (const broken of ['incident.host == "', '(incident.host', 'a && ', 'a) && (b', 'a // b', 'x == r"a"'])
      expect(termsOf(broken), broken).toBeNull();
    expect(termsOf('  ')?.terms).toEqual([]);
  });

  it('grows, shrinks and changes between all and any', () => {
    const two = withMore(withMore('', 'incident.host == "a"'), '"b" in incident.tags');
    expect(two).toBe('incident.host == "a" && "b" in incident.tags');
    const any = joinedBy(withMore(two, 'c && d'), '||');
    expect(any).toBe('incident.host == "a" || "b" in incident.tags || c || d');
    expect(joinedBy('a && b || c', '&&')).toBe('(a && b) && c');
    expect(withMore(joinedBy(two, '||'), 'c')).toBe('incident.host == "a" || "b" in incident.tags || c');
    expect(withoutTerm(two, 0)).toBe('"b" in incident.tags');
    expect(withoutTerm(two, 1)).toBe('incident.host == "a"');
    expect(withoutTerm('incident.host == "a"', 0)).toBe('');
    expect(asTerm(' a || b ')).toBe('(a || b)');
    expect(asTerm('a && b')).toBe('a && b');
    expect(asTerm('size(')).toBeNull();
  });

  it('takes the value along when field or comparison change', () => {
    const is = { field: 'incident.severity', comparison: 'is', values: ['high'] } as const;
    expect(written(changed(is, { comparison: 'in' }, 'text'))).toBe('incident.severity in ["high"]');
    expect(written(changed({ ...is, values: [''] }, { comparison: 'notIn' }, 'text'))).toBe(
      '!(incident.severity in [])',
    );
    expect(written(changed(is, { field: 'incident.tags' }, 'list'))).toBe('"high" in incident.tags');
    expect(
      written(
        changed({ field: 'incident.tags', comparison: 'hasNot', values: ['x'] }, { field: 'incident.host' }, 'text'),
      ),
    ).toBe('incident.host == "x"');
  });

  it('of a node speaks of all that came before: texts, numbers, lists and what is true', () => {
    const all = [
      'nodes.probe.output.exitCode == 0',
      'inputs.retries >= 2.5',
      'nodes.ask.output.decision != "approved"',
      'inputs.hosts[0].startsWith("db-")',
      '"web-1" in inputs.hosts',
      'inputs.notify',
      '!vars.quiet',
    ];
    const found = termsOf(all.join(' && '))?.terms ?? [];
    expect(found.map(({ row }) => row && written(row))).toEqual(all);
    expect(rows('a.b == true || a.c != true')).toEqual([
      { field: 'a.b', comparison: 'holds', values: [] },
      { field: 'a.c', comparison: 'holdsNot', values: [] },
    ]);
    for (const text of ['true', 'size(inputs.hosts) > 2', 'a.b == c.d', 'a.b in [1, 2]', '-1 < a.b'])
      expect(rows(text), text).toEqual([text]);
    const code = { field: 'nodes.a.exitCode', comparison: 'is', values: ['web'] } as const;
    expect(written(changed(code, { comparison: 'more' }, null))).toBe('nodes.a.exitCode > 0');
    expect(written(changed(code, { field: 'inputs.notify' }, 'truth'))).toBe('inputs.notify');
  });
});
