/** Across the whole page, as long as a kernel runs without a sandbox. It can't be closed. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { noShieldIcon } from '../icons';
import type { SessionStatus } from './status';

/** The banner. */
const BANNER_CLASS = 'jp-ZT-Banner';

export namespace Banner {
  /** What it shows. */
  export interface Options {
    session: SessionStatus;
    trans: TranslationBundle;
  }
}

/** Hidden while all kernels are confined. */
export class Banner extends ReactWidget {
  constructor(private readonly options: Banner.Options) {
    super();
    this.id = 'jupyter-zt-banner';
    this.addClass(BANNER_CLASS);
    this.node.setAttribute('role', 'alert');
    options.session.changed.connect(this._follow, this);
    this._follow();
  }

  protected override render(): React.ReactElement {
    const { trans } = this.options;
    return (
      <>
        <noShieldIcon.react tag="span" />
        <span>
          <strong>{trans.__('No sandbox.')}</strong>{' '}
          {trans.__('Code in notebooks can reach whatever the Jupyter server can.')}
        </span>
      </>
    );
  }

  private _follow(): void {
    this.setHidden(!this.options.session.unsandboxed);
    this.update();
  }
}
