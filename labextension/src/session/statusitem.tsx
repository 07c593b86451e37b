/** The status bar's word: who acts, and whether their kernels are confined. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { CommandIds } from '../commands';
import { noShieldIcon, shieldIcon } from '../icons';
import type { SessionStatus } from './status';
import { statusWords } from './words';

/** The item; `jp-mod-bad` when something is wrong. */
const ITEM_CLASS = 'jp-ZT-StatusItem';

export namespace StatusItem {
  /** What it shows, and how it acts. */
  export interface Options {
    session: SessionStatus;
    commands: CommandRegistry;
    trans: TranslationBundle;
  }
}

/** Opens the panel when clicked. */
export class StatusItem extends ReactWidget {
  constructor(private readonly options: StatusItem.Options) {
    super();
    options.session.changed.connect(() => {
      this.update();
    }, this);
  }

  protected override render(): React.ReactElement {
    const { session, commands, trans } = this.options;
    const [words, good] = statusWords(session, trans);
    const icon = good ? shieldIcon : noShieldIcon;
    return (
      <button
        type="button"
        className={good ? ITEM_CLASS : `${ITEM_CLASS} jp-mod-bad`}
        title={commands.caption(CommandIds.open)}
        onClick={() => void commands.execute(CommandIds.open)}
      >
        <icon.react tag="span" stylesheet="statusBar" />
        <span>{words}</span>
      </button>
    );
  }
}
