/** The side panel "Zero trust": approvals above, session below. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { Panel } from '@lumino/widgets';

import { shieldIcon } from '../icons';
import { sections } from '../review/inbox';
import { ApprovalsView } from '../review/view';
import { SessionView } from '../session/view';
import type { Models } from '../tokens';

/** The panel. */
const PANEL_CLASS = 'jp-ZT-Panel';

/** Key of the tab's data attribute that the badge is drawn from: `data-zt-count`. */
const COUNT_KEY = 'zt-count';

export namespace ZeroTrustPanel {
  /** What it shows, and how it acts. */
  export interface Options extends Models {
    commands: CommandRegistry;
    trans: TranslationBundle;
  }
}

/** Shows how many requests wait, on its tab. */
export class ZeroTrustPanel extends Panel {
  constructor(private readonly options: ZeroTrustPanel.Options) {
    super();
    this.id = 'jupyter-zt-panel';
    this.addClass(PANEL_CLASS);
    this.title.icon = shieldIcon;
    this.addWidget(new ApprovalsView(options));
    this.addWidget(new SessionView(options));
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', options.trans.__('Zero trust'));
    options.inbox.changed.connect(this._count, this);
    this._count();
  }

  private _count(): void {
    const { inbox, trans } = this.options;
    const count = sections(inbox.approvals).toDecide.length;
    if (this.title.dataset[COUNT_KEY] === String(count)) {
      return;
    }
    this.title.dataset = { ...this.title.dataset, [COUNT_KEY]: String(count) };
    this.title.caption =
      count === 0
        ? trans.__('Zero trust')
        : trans._n(
            'Zero trust: %1 request waits for you',
            'Zero trust: %1 requests wait for you',
            count,
            count
          );
  }
}
