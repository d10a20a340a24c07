import { describe, expect, it } from 'vitest';
import { asTerm, changed, joinedBy, termsOf, withMore, withoutTerm, withTerm, written } from './conditions';

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
      { field: 'source', comparison: 'matches', values: ['^a|b\\d$'] },
    ]);
  });

  it('keeps what is no row as text, in its place and as it is written', () => {
    const condition = 'incident.severity==\'high\'\n  && (incident.team == "web" || size(incident.tags) > 2)';
    expect(rows(condition)).toEqual([
      { field: 'severity', comparison: 'is', values: ['high'] },
      '(incident.team == "web" || size(incident.tags) > 2)',
    ]);
    const [first] = termsOf(condition)?.terms ?? [];
    expect(first && withTerm(condition, first, 'incident.host != ""')).toBe(
      'incident.host != ""\n  && (incident.team == "web" || size(incident.tags) > 2)',
    );
    expect(rows('incident.a ? true : false || true')).toEqual(['incident.a ? true : false || true']);
    expect(rows('incident.host == "\\u0041" && incident.severity == incident.status')).toEqual([
      'incident.host == "\\u0041"',
      'incident.severity == incident.status',
    ]);
    expect(rows('a && b || incident.id == "1"')).toEqual(['a && b', { field: 'id', comparison: 'is', values: ['1'] }]);
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
    const is = { field: 'severity', comparison: 'is', values: ['high'] } as const;
    expect(written(changed(is, { comparison: 'in' }))).toBe('incident.severity in ["high"]');
    expect(written(changed({ ...is, values: [''] }, { comparison: 'notIn' }))).toBe('!(incident.severity in [])');
    expect(written(changed(is, { field: 'tags' }))).toBe('"high" in incident.tags');
    expect(written(changed({ field: 'tags', comparison: 'hasNot', values: ['x'] }, { field: 'host' }))).toBe(
      'incident.host == "x"',
    );
  });
});
