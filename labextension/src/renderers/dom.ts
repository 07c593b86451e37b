/** Builds DOM from text. Nothing here takes HTML. */
import { kindsIn, mark, type MarkKind, type Piece } from '../text/marking';

/** Attributes of a new element; `class` and `text` are what they say. */
export interface Attributes {
  class?: string;
  text?: string;
  [attribute: string]: string | undefined;
}

/** A new element with text or children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | null)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined) {
      continue;
    }
    if (name === 'text') {
      node.textContent = value;
    } else {
      node.setAttribute(name, value);
    }
  }
  node.append(...children.filter(child => child !== null));
  return node;
}

/** A closed lock. */
const LOCK_CLASS = 'jp-ZT-Lock';
const LOCK_PATH =
  'M8 1a3.5 3.5 0 0 0-3.5 3.5V7H3v8h10V7h-1.5V4.5A3.5 3.5 0 0 0 8 1zM6 4.5a2 2 0 1 1 4 0V7H6z';
const SVG = 'http://www.w3.org/2000/svg';

/**
 * The sign of a masked column.
 *
 * @param label - What a screen reader says; "" when a text beside it says it.
 */
export function lock(label: string): HTMLElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', LOCK_PATH);
  svg.append(path);
  const says = label === '' ? { 'aria-hidden': 'true' } : { role: 'img', 'aria-label': label };
  return element('span', { class: LOCK_CLASS, ...says }, svg);
}

/** Class of a marked character. */
export const MARK_CLASS = 'jp-ZT-Mark';

/** A command exactly as it will run, with what can't be seen made visible. */
export function commandBlock(command: string, explain: (piece: Piece) => string): HTMLPreElement {
  const block = element('pre', { class: 'jp-ZT-Command', dir: 'ltr' });
  for (const piece of mark(command)) {
    block.append(
      piece.kind === null
        ? document.createTextNode(piece.text)
        : element('span', {
            class: `${MARK_CLASS} jp-mod-${piece.kind}`,
            text: piece.shown,
            title: explain(piece)
          })
    );
  }
  return block;
}

/** Kinds of marks in a command, for a warning above it. */
export function marksIn(command: string): MarkKind[] {
  return kindsIn(mark(command));
}
