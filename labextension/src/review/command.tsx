/** A command exactly as it will run, with what can't be seen made visible. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explain, warning } from '../text/explain';
import { kindsIn, mark } from '../text/marking';

/** The block. Shows characters in the order in which they are stored, whatever their script. */
const COMMAND_CLASS = 'jp-ZT-Command';
/** A marked piece; `jp-mod-direction` and so on name the kind. */
const MARK_CLASS = 'jp-ZT-Mark';
/** Above the block when it holds marks. */
const WARNING_CLASS = 'jp-ZT-Warning';

interface Props {
  command: string;
  label: string;
  trans: TranslationBundle;
}

/** Shows the whole command: nothing folded, nothing cut, no scrolling inside. */
export function Command({ command, label, trans }: Props): React.ReactElement {
  const pieces = React.useMemo(() => mark(command), [command]);
  const warn = warning(kindsIn(pieces), trans);
  return (
    <>
      {warn && (
        <p className={WARNING_CLASS} role="alert">
          {warn}
        </p>
      )}
      <pre className={COMMAND_CLASS} dir="ltr" tabIndex={0} role="region" aria-label={label}>
        {pieces.map((piece, at) =>
          piece.kind === null ? (
            piece.text
          ) : (
            <span
              key={at}
              className={`${MARK_CLASS} jp-mod-${piece.kind}`}
              title={explain(piece, trans)}
            >
              {piece.shown}
            </span>
          )
        )}
      </pre>
    </>
  );
}
