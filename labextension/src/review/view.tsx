/** The section "Approvals". */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, refreshIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Approval } from '../api/types';
import { CommandIds } from '../commands';
import { useSeconds } from '../panel/seconds';
import { Trouble } from '../panel/trouble';
import { Card, DecidedCard, stateWords } from './card';
import type { Desk, Notice } from './desk';
import { sections, type Inbox } from './inbox';

/** The section; shortcuts work while the focus is in it. */
export const APPROVALS_CLASS = 'jp-ZT-Approvals';
/** Its heading. */
const HEADING_CLASS = 'jp-ZT-Heading';
/** Number in the heading. */
const COUNT_CLASS = 'jp-ZT-Count';
/** A list of cards. */
const LIST_CLASS = 'jp-ZT-List';
/** What last happened. */
const NOTICE_CLASS = 'jp-ZT-Notice';
/** Nothing to do. */
const EMPTY_CLASS = 'jp-ZT-Empty';

export namespace ApprovalsView {
  /** What it shows, and how it acts. */
  export interface Options {
    inbox: Inbox;
    desk: Desk;
    commands: CommandRegistry;
    trans: TranslationBundle;
  }
}

/** Draws the inbox, and draws it again when it changed. */
export class ApprovalsView extends ReactWidget {
  constructor(private readonly options: ApprovalsView.Options) {
    super();
    this.addClass(APPROVALS_CLASS);
    this.node.tabIndex = -1;
    options.inbox.changed.connect(this._redraw, this);
    options.desk.changed.connect(this._redraw, this);
  }

  protected override render(): React.ReactElement {
    return <Approvals {...this.options} />;
  }

  private _redraw(): void {
    this.update();
  }
}

function Approvals({ inbox, desk, commands, trans }: ApprovalsView.Options): React.ReactElement {
  useSeconds();
  const nowMs = inbox.now();
  const { toDecide, waiting, decided } = sections(inbox.approvals);
  const card = (approval: Approval): React.ReactElement => (
    <Card key={approval.id} {...{ approval, desk, commands, nowMs, trans }} />
  );
  return (
    <>
      <div className={HEADING_CLASS}>
        <h2>{trans.__('Approvals')}</h2>
        {toDecide.length > 0 && (
          <span className={COUNT_CLASS} aria-label={trans.__('%1 wait for you', toDecide.length)}>
            {toDecide.length}
          </span>
        )}
        <button
          type="button"
          className="jp-ZT-IconButton"
          title={commands.caption(CommandIds.refresh)}
          aria-label={commands.caption(CommandIds.refresh)}
          onClick={() => void commands.execute(CommandIds.refresh)}
        >
          <refreshIcon.react tag="span" />
        </button>
      </div>
      {inbox.failure && <Trouble failure={inbox.failure} commands={commands} trans={trans} />}
      <p className={NOTICE_CLASS} role="status">
        {inbox.failure ? '' : noticeWords(desk.notice, trans)}
      </p>
      {toDecide.length > 0 && <ul className={LIST_CLASS}>{toDecide.map(card)}</ul>}
      {waiting.length > 0 && (
        <>
          <h3>{trans.__('Waiting for others')}</h3>
          <ul className={LIST_CLASS}>{waiting.map(card)}</ul>
        </>
      )}
      {inbox.loaded && !inbox.failure && toDecide.length + waiting.length === 0 && (
        <div className={EMPTY_CLASS}>
          <strong>{trans.__('Nothing waits')}</strong>
          <p>{trans.__('Actions that need consent appear here by themselves.')}</p>
        </div>
      )}
      {decided.length > 0 && (
        <details className="jp-ZT-Decided">
          <summary>
            {trans.__('Recently decided')} <span className={COUNT_CLASS}>{decided.length}</span>
          </summary>
          <ul className={LIST_CLASS}>
            {decided.map(approval => (
              <DecidedCard key={approval.id} approval={approval} trans={trans} />
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function noticeWords(notice: Notice | null, trans: TranslationBundle): string {
  switch (notice?.kind) {
    case undefined:
      return '';
    case 'changed':
      return trans.__('The request changed while you read it. Read it again.');
    case 'closed':
      return trans.__(
        'The request you were reading is closed: %1.',
        stateWords(notice.approval.state, trans)[0]
      );
    case 'decided': {
      const { requester, connection, state } = notice.approval;
      if (!notice.approved) {
        return trans.__('Denied. %1 is told why.', requester.name);
      }
      return state === 'open'
        ? trans.__('Your approval counts; more are needed.')
        : trans.__('Approved. It runs on %1 now.', connection);
    }
  }
}
