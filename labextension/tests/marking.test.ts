import { kindsIn, mark } from '../src/text/marking';

const marked = (text: string): [string, string][] =>
  mark(text).flatMap(piece => (piece.kind === null ? [] : [[piece.kind, piece.name]]));

describe('marking of commands', () => {
  it('leaves an ordinary statement alone', () => {
    const sql =
      "UPDATE customers SET name = 'Zoë Müller'\n\tWHERE id = 7 -- naïve, 株式会社ABC, Иванов";
    expect(mark(sql)).toEqual([{ text: sql, kind: null, shown: sql, name: '' }]);
  });

  it('gives back every character, in order', () => {
    const text =
      'a\u202eb\u200b\ud800 \u00a0с\uff1b' + ' '.repeat(60) + '\r\n\n\n\n\n\nend\u{e0041}';
    expect(
      mark(text)
        .map(piece => piece.text)
        .join('')
    ).toBe(text);
  });

  it.each([
    ['select 1 /*\u202e*/', 'direction', 'U+202E'],
    ['sel\u200bect 1', 'invisible', 'U+200B'],
    ['x\u00ady', 'invisible', 'U+00AD'],
    ['x\u{e0041}', 'invisible', 'U+E0041'],
    ['x\ufe0f', 'invisible', 'U+FE0F'],
    ['x\u3164y', 'invisible', 'U+3164'],
    ['x\ud800', 'invisible', 'U+D800'],
    ['a\rb', 'control', 'U+000D'],
    ['a\u001b[2K', 'control', 'U+001B'],
    ['a\u00a0b', 'space', 'U+00A0'],
    ['a\u2028b', 'space', 'U+2028'],
    ['drop；', 'lookalike', 'U+FF1B'],
    ['ｕｓｅｒｓ', 'lookalike', 'U+FF55 U+FF53 U+FF45 U+FF52'],
    ['custоmers', 'lookalike', 'U+043E'],
    ['сору', 'lookalike', 'U+0441 U+043E U+0440 U+0443'],
    ['x\u0335\u0335\u0335', 'lookalike', 'U+0335']
  ])('marks %j as %s', (text, kind, name) => {
    expect(marked(text)).toEqual([[kind, name]]);
  });

  it('marks blanks that push text out of sight', () => {
    expect(marked(`SELECT 1${' '.repeat(80)}; DROP TABLE x`)).toEqual([['run', '80']]);
    expect(kindsIn(mark(`SELECT 1${'\n'.repeat(30)}DROP TABLE x`))).toEqual(['run']);
    expect(marked('SELECT 1\n\n  FROM t')).toEqual([]);
  });
});
