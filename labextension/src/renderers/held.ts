/** `application/vnd.zt.held+json`: the requester's cell while its action waits for consent. */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import type { Catalogue } from '../text/explain';
import { countdown, secondsLeft, URGENT_SECONDS } from '../text/time';
import { element } from './dom';
import { catalogue } from './result';
import { objectIn, textIn, textsIn } from './value';

export const HELD_MIME = 'application/vnd.zt.held+json';

/** The card; `jp-mod-waiting`, `jp-mod-approved` and so on tell its state. */
const CARD_CLASS = 'jp-ZT-Held';
/** Sign before the title. */
const SIGN_CLASS = 'jp-ZT-Held-sign';
/** What the card says in one line. */
const TITLE_CLASS = 'jp-ZT-Held-title';
/** Reasons, and what else is to be known. */
const DETAIL_CLASS = 'jp-ZT-Held-detail';
/** Time left, in digits. */
const TIME_CLASS = 'jp-ZT-Time';
/** Less than a minute is left. */
const URGENT_CLASS = 'jp-mod-urgent';

const STATES = [
  'waiting',
  'approved',
  'denied',
  'expired',
  'cancelled',
  'failed',
  'limit'
] as const;
/** What the kernel says about the action; `unknown` for what it should not say. */
export type HeldState = (typeof STATES)[number] | 'unknown';

/** Shows one waiting card and its countdown. */
export class HeldRenderer extends Widget implements IRenderMime.IRenderer {
  constructor(options: IRenderMime.IRendererOptions) {
    super();
    this._mimeType = options.mimeType;
    this._trans = catalogue(options);
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._data = model.data[this._mimeType];
    this._show();
    this._follow();
    return Promise.resolve();
  }

  protected override onAfterAttach(_message: Message): void {
    this._show();
    this._follow();
  }

  protected override onBeforeDetach(_message: Message): void {
    window.clearInterval(this._timer);
    this._timer = 0;
  }

  private _show(): void {
    this.node.replaceChildren(heldCard(this._data, Date.now(), this._trans));
  }

  /** Ticks while attached and waiting. Only digits change, so that a screen reader stays calm. */
  private _follow(): void {
    const waits = stateOf(this._data) === 'waiting' && timeLeft(this._data, Date.now()) > 0;
    if (!waits || !this.isAttached) {
      window.clearInterval(this._timer);
      this._timer = 0;
      return;
    }
    this._timer ||= window.setInterval(() => {
      const seconds = timeLeft(this._data, Date.now());
      const time = this.node.querySelector(`.${TIME_CLASS}`);
      if (seconds === 0 || time === null) {
        this._show();
        this._follow();
        return;
      }
      time.textContent = countdown(seconds);
      time.classList.toggle(URGENT_CLASS, seconds <= URGENT_SECONDS);
    }, 1000);
  }

  private _data: unknown = null;
  private _timer = 0;
  private readonly _mimeType: string;
  private readonly _trans: Catalogue;
}

/** The card for what the kernel sent. */
export function heldCard(data: unknown, nowMs: number, trans: Catalogue): HTMLElement {
  const held = objectIn(data);
  const approval = objectIn(held.approval);
  const connection = textIn(held.connection);
  const message = textIn(held.message);
  const state = stateOf(data);
  const seconds = timeLeft(data, nowMs);
  const over = state === 'waiting' && seconds === 0;
  const card = element('div', {
    class: `${CARD_CLASS} jp-mod-${over ? 'expired' : state}`,
    role: 'status'
  });
  const title = element(
    'div',
    { class: TITLE_CLASS },
    element('span', { class: SIGN_CLASS, 'aria-hidden': 'true' }),
    element('span', { text: titleOf(state, over, approval, connection, trans) })
  );
  if (state === 'waiting' && !over) {
    title.append(
      element('span', {
        class: seconds <= URGENT_SECONDS ? `${TIME_CLASS} ${URGENT_CLASS}` : TIME_CLASS,
        // Read on demand, not each second.
        'aria-live': 'off',
        title: trans.__('Time left; then it is denied'),
        text: countdown(seconds)
      })
    );
  }
  card.append(title);
  const reasons = textsIn(approval.reasons);
  if (state === 'waiting' && !over && reasons.length > 0) {
    card.append(
      element(
        'ul',
        { class: DETAIL_CLASS, 'aria-label': trans.__('Why it is held') },
        ...reasons.map(reason => element('li', { text: reason }))
      )
    );
  }
  if (over) {
    card.append(
      element('div', {
        class: DETAIL_CLASS,
        text: trans.__(
          'Nobody decided in time, so it did not run. Run the cell again to ask again.'
        )
      })
    );
  } else if (message !== '' && !message.includes('\n')) {
    // A longer text is this card in plain words, for hosts that can't show it.
    card.append(element('div', { class: DETAIL_CLASS, text: message }));
  } else if (state === 'waiting') {
    card.append(
      element('div', {
        class: DETAIL_CLASS,
        text: trans.__('The cell goes on by itself once it is approved. Stop it to withdraw.')
      })
    );
  }
  return card;
}

function titleOf(
  state: HeldState,
  over: boolean,
  approval: Record<string, unknown>,
  connection: string,
  trans: Catalogue
): string {
  if (over) {
    return trans.__('%1: the time for a decision is over', connection);
  }
  switch (state) {
    case 'waiting': {
      const role = textIn(approval.reviewer_role);
      const quorum = textIn(approval.quorum);
      return quorum === '' || quorum === '1'
        ? trans.__('%1: waiting for the approval of a %2', connection, role)
        : trans.__(
            '%1: waiting for the approval of %2 people of role %3',
            connection,
            quorum,
            role
          );
    }
    case 'approved':
      return trans.__('%1: approved', connection);
    case 'denied':
      return trans.__('%1: denied', connection);
    case 'expired':
      return trans.__('%1: the time for a decision is over', connection);
    case 'cancelled':
      return trans.__('%1: withdrawn', connection);
    case 'failed':
      return trans.__('%1: failed', connection);
    case 'limit':
      return trans.__('%1: stopped at a limit', connection);
    case 'unknown':
      return trans.__('%1: held', connection);
  }
}

/** The state that the kernel names. Anything else promises nothing. */
function stateOf(data: unknown): HeldState {
  const state = textIn(objectIn(data).state);
  return STATES.find(known => known === state) ?? 'unknown';
}

function timeLeft(data: unknown, nowMs: number): number {
  return secondsLeft(textIn(objectIn(objectIn(data).approval).expires_at), nowMs);
}
