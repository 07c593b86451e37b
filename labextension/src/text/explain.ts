/** What a mark in a command means, in words. */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

import type { MarkKind, Piece } from './marking';

/** A message catalogue, as both panels and mime renderers get it. */
export type Catalogue = Pick<IRenderMime.TranslationBundle, '__'>;

/** One marked piece, for its tooltip. */
export function explain(piece: Piece, trans: Catalogue): string {
  switch (piece.kind) {
    case 'run':
      return trans.__('%1 blank characters in a row', piece.name);
    case 'lookalike':
      return trans.__('Looks like other letters: %1', piece.name);
    case 'direction':
      return trans.__('Changes the direction of the text: %1', piece.name);
    case 'control':
      return trans.__('Control character: %1', piece.name);
    case 'space':
      return trans.__('Unusual blank: %1', piece.name);
    case 'invisible':
      return trans.__('Invisible character: %1', piece.name);
    case null:
      return '';
  }
}

/** All marks of a command, for the warning above it. "" when there are none. */
export function warning(kinds: readonly MarkKind[], trans: Catalogue): string {
  const words: Record<MarkKind, string> = {
    control: trans.__('control characters'),
    direction: trans.__('direction overrides'),
    invisible: trans.__('invisible characters'),
    lookalike: trans.__('look-alike letters'),
    run: trans.__('long blanks'),
    space: trans.__('unusual blanks')
  };
  return kinds.length === 0
    ? ''
    : trans.__(
        'This command holds %1. They are marked.',
        kinds.map(kind => words[kind]).join(', ')
      );
}
