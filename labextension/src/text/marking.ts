/**
 * Makes visible what a reader of a command would not see, or would take for something else:
 * control and format characters, direction overrides (CVE-2021-42574, "Trojan Source"), look-alike
 * letters (Unicode TR 39), and long runs of space that push text out of sight.
 */

/** Why a piece of text is marked. */
export type MarkKind = 'control' | 'direction' | 'invisible' | 'space' | 'lookalike' | 'run';

/** A piece of the text: `kind` is null for what reads as it stands. */
export interface Piece {
  /** Exactly the characters of the original; all pieces joined are the original. */
  text: string;
  kind: MarkKind | null;
  /** What to show instead of `text` when it can't be seen, else `text` itself. */
  shown: string;
  /** Code points of the marked characters: `U+202E`. */
  name: string;
}

/** A run of blanks this long may move what follows out of sight. */
const LONG_RUN = 40;

/** This many empty lines in a row may, too. */
const EMPTY_LINES = 4;

const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
// Lone surrogates, private use and unassigned code points have no agreed look at all.
const INVISIBLE = /[\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}]/u;
const CONTROL = /\p{Cc}/u;
const SPACE = /[\p{Z}\u2800]/u;
const WORD = /[\p{L}\p{M}\p{N}_]+/uy;
const STACKED = /\p{M}{3,}/u;

/** Alphabets that hold letters which look like Latin ones. */
const TWIN_ALPHABETS =
  /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Coptic}]/u;

/** Their letters that look just like an ASCII letter in most fonts. */
const TWINS = new Set('АВСЕНІЈКМОРЅТХҮԌԚԜаԁеһіјӏорԛѕԝхусүѵΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορτυιϲϳոսօհցզ');

/**
 * Cuts a text into pieces, marked where a reader could be misled.
 *
 * @param text - Anything, also with lone surrogates.
 */
export function mark(text: string): Piece[] {
  const pieces: Piece[] = [];
  let plain = '';
  const push = (piece: Piece): void => {
    if (plain) {
      pieces.push({ text: plain, kind: null, shown: plain, name: '' });
      plain = '';
    }
    pieces.push(piece);
  };
  let at = 0;
  while (at < text.length) {
    const run = blankRun(text, at);
    if (run) {
      push({ text: run, kind: 'run', shown: run, name: String(run.length) });
      at += run.length;
      continue;
    }
    WORD.lastIndex = at;
    const word = WORD.exec(text)?.[0];
    if (word && !INVISIBLE.test(word)) {
      if (isLookalike(word)) {
        push({ text: word, kind: 'lookalike', shown: word, name: names(strangers(word)) });
      } else {
        plain += word;
      }
      at += word.length;
      continue;
    }
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    const kind = kindOf(character);
    if (kind === null) {
      plain += character;
    } else {
      push({ text: character, kind, shown: codePoint(character), name: codePoint(character) });
    }
    at += character.length;
  }
  if (plain) {
    pieces.push({ text: plain, kind: null, shown: plain, name: '' });
  }
  return pieces;
}

/** The kinds of marks in a text, each once, in order of appearance. */
export function kindsIn(pieces: readonly Piece[]): MarkKind[] {
  const kinds = pieces.flatMap(piece => (piece.kind === null ? [] : [piece.kind]));
  return [...new Set(kinds)];
}

function kindOf(character: string): MarkKind | null {
  if (character === '\n' || character === '\t' || character === ' ') {
    return null;
  }
  if (DIRECTION.test(character)) {
    return 'direction';
  }
  if (CONTROL.test(character)) {
    return 'control';
  }
  if (INVISIBLE.test(character)) {
    return 'invisible';
  }
  if (SPACE.test(character)) {
    return 'space';
  }
  return foldsToAscii(character) ? 'lookalike' : null;
}

function blankRun(text: string, at: number): string {
  let end = at;
  while (text[end] === ' ' || text[end] === '\t') {
    end++;
  }
  if (end - at >= LONG_RUN) {
    return text.slice(at, end);
  }
  end = at;
  let lines = 0;
  for (let next = at; /[ \t\n]/.test(text[next] ?? ''); next++) {
    if (text[next] === '\n') {
      lines++;
      end = next + 1;
    }
  }
  return lines > EMPTY_LINES ? text.slice(at, end) : '';
}

/** Whether a word mixes alphabets, is made of twins alone, folds to other letters, or is piled up. */
function isLookalike(word: string): boolean {
  const letters = Array.from(word);
  return (
    STACKED.test(word) ||
    letters.some(foldsToAscii) ||
    (/[A-Za-z]/.test(word) && TWIN_ALPHABETS.test(word)) ||
    (TWIN_ALPHABETS.test(word) &&
      letters.every(letter => TWINS.has(letter) || /[\d_]/.test(letter)))
  );
}

/** A full-width semicolon and the like: another character, the same look. */
function foldsToAscii(character: string): boolean {
  const folded = character.normalize('NFKC');
  return folded !== character && /^[\x21-\x7e]+$/.test(folded);
}

function strangers(word: string): string[] {
  return Array.from(word).filter(
    letter => TWIN_ALPHABETS.test(letter) || foldsToAscii(letter) || /\p{M}/u.test(letter)
  );
}

function names(characters: readonly string[]): string {
  return [...new Set(characters.map(codePoint))].join(' ');
}

function codePoint(character: string): string {
  const number = character.codePointAt(0) ?? 0;
  return `U+${number.toString(16).toUpperCase().padStart(4, '0')}`;
}
