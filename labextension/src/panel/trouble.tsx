/** Why something is missing, and the one thing that helps. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Failure } from '../api/failure';
import { CommandIds } from '../commands';

/** The box; `jp-mod-logged_out` and so on name the kind. */
const TROUBLE_CLASS = 'jp-ZT-Trouble';

interface Props {
  failure: Failure;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/** A failure of the connection to the gateway. */
export function Trouble({ failure, commands, trans }: Props): React.ReactElement {
  const [title, text] = words(failure, trans);
  const cure = failure.kind === 'logged_out' ? CommandIds.login : CommandIds.refresh;
  return (
    <div className={`${TROUBLE_CLASS} jp-mod-${failure.kind}`} role="alert">
      <strong>{title}</strong>
      {text && <p>{text}</p>}
      {failure.kind !== 'logged_out' && <Said failure={failure} />}
      <button
        type="button"
        className="jp-mod-styled jp-mod-minimal"
        onClick={() => void commands.execute(cure)}
      >
        {commands.label(cure)}
      </button>
    </div>
  );
}

/** What the server said, with its code for whoever helps. */
export function Said({ failure }: { failure: Failure }): React.ReactElement {
  return (
    <p>
      {failure.message} {failure.hint} <code>{failure.code}</code>
    </p>
  );
}

function words(failure: Failure, trans: TranslationBundle): [string, string] {
  switch (failure.kind) {
    case 'logged_out':
      return [trans.__('You are logged out'), trans.__('Log in again to see and decide requests.')];
    case 'unreachable':
      return [
        trans.__('The gateway does not answer'),
        trans.__('No action runs until it does. This page keeps trying.')
      ];
    case 'refused':
      return [trans.__('The gateway refused'), ''];
  }
}
