/** One request in the list: a line to recognise it by, and the detail when it is open. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Approval, ApprovalState } from '../api/types';
import { Said } from '../panel/trouble';
import { verbOf } from '../text/facts';
import { ago, countdown, secondsLeft, URGENT_SECONDS } from '../text/time';
import { Command } from './command';
import { Decision } from './decision';
import type { Desk } from './desk';
import { Detail, voteWords } from './detail';

/** One request. `jp-mod-selected` when it is open. */
const CARD_CLASS = 'jp-ZT-Card';
/** The line that opens it: a button. */
const HEAD_CLASS = 'jp-ZT-Card-head';
/** First line of the head. */
const TITLE_CLASS = 'jp-ZT-Card-title';
/** One line of the command, cut. The whole stands in the detail. */
const PREVIEW_CLASS = 'jp-ZT-Card-preview';
/** Who and when. */
const META_CLASS = 'jp-ZT-Card-meta';
/** Time left. */
const TIME_CLASS = 'jp-ZT-Time';
/** A word in a frame. */
const CHIP_CLASS = 'jp-ZT-Chip';

interface Props {
  approval: Approval;
  desk: Desk;
  commands: CommandRegistry;
  nowMs: number;
  trans: TranslationBundle;
}

/** A request that is not decided. */
export function Card({ approval, desk, commands, nowMs, trans }: Props): React.ReactElement {
  const open = desk.selected === approval.id;
  const reading = desk.step === 'reading';
  const head = React.useRef<HTMLButtonElement>(null);
  const body = React.useId();
  React.useEffect(() => {
    // Follow the keyboard and the steps, but never take the focus from elsewhere. The body has it
    // when the button that had it is gone.
    const list = head.current?.closest('.jp-ZT-Approvals');
    const focused = document.activeElement;
    if (open && reading && (focused === document.body || list?.contains(focused))) {
      head.current?.focus({ preventScroll: true });
      head.current?.scrollIntoView({ block: 'nearest' });
    }
  }, [open, reading]);
  return (
    <li className={open ? `${CARD_CLASS} jp-mod-selected` : CARD_CLASS}>
      <button
        ref={head}
        type="button"
        className={HEAD_CLASS}
        aria-expanded={open}
        aria-controls={body}
        onClick={() => void desk.select(open ? '' : approval.id)}
      >
        <span className={TITLE_CLASS}>
          <span className={`${CHIP_CLASS} jp-mod-open`}>{verbOf(approval.facts)}</span>
          <strong>{approval.connection}</strong>
          <TimeLeft until={approval.expires_at} nowMs={nowMs} trans={trans} />
        </span>
        {!open && <code className={PREVIEW_CLASS}>{approval.command.slice(0, 200)}</code>}
        <span className={META_CLASS}>
          {[approval.requester.name, approval.agent, ago(approval.opened_at, nowMs, trans)]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </button>
      {open && (
        <div id={body}>
          {desk.detail ? (
            <>
              <Detail approval={desk.detail} trans={trans} />
              <Decision
                key={`${desk.detail.digest} ${String(reading)}`}
                desk={desk}
                detail={desk.detail}
                commands={commands}
                trans={trans}
              />
            </>
          ) : desk.failure ? (
            <div className="jp-ZT-Warning" role="alert">
              <Said failure={desk.failure} />
            </div>
          ) : (
            <p className={META_CLASS}>{trans.__('Loading…')}</p>
          )}
        </div>
      )}
    </li>
  );
}

function TimeLeft(props: {
  until: string;
  nowMs: number;
  trans: TranslationBundle;
}): React.ReactElement {
  const seconds = secondsLeft(props.until, props.nowMs);
  const urgent = seconds <= URGENT_SECONDS ? ' jp-mod-urgent' : '';
  return (
    <span
      className={TIME_CLASS + urgent}
      role="timer"
      aria-live="off"
      title={props.trans.__('Time left; then it is denied')}
    >
      {countdown(seconds)}
    </span>
  );
}

/** A request that is decided, folded. */
export function DecidedCard(props: {
  approval: Approval;
  trans: TranslationBundle;
}): React.ReactElement {
  const { approval, trans } = props;
  const [label, tone] = stateWords(approval.state, trans);
  return (
    <li className={CARD_CLASS}>
      <details>
        <summary className={HEAD_CLASS}>
          <span className={TITLE_CLASS}>
            <span className={`${CHIP_CLASS} jp-mod-${tone}`}>{label}</span>
            <strong>{approval.connection}</strong>
          </span>
          <code className={PREVIEW_CLASS}>{approval.command.slice(0, 200)}</code>
          <span className={META_CLASS}>
            {[approval.requester.name, ...approval.votes.map(vote => voteWords(vote, trans))].join(
              ' · '
            )}
          </span>
        </summary>
        <Command command={approval.command} label={trans.__('Command')} trans={trans} />
      </details>
    </li>
  );
}

/** A state in one word, and its colour. */
export function stateWords(
  state: ApprovalState,
  trans: TranslationBundle
): [string, 'good' | 'bad' | 'open' | 'quiet'] {
  switch (state) {
    case 'open':
      return [trans.__('open'), 'open'];
    case 'approved':
      return [trans.__('approved'), 'good'];
    case 'executing':
      return [trans.__('running'), 'open'];
    case 'executed':
      return [trans.__('executed'), 'good'];
    case 'denied':
      return [trans.__('denied'), 'bad'];
    case 'expired':
      return [trans.__('expired'), 'quiet'];
    case 'cancelled':
      return [trans.__('withdrawn'), 'quiet'];
    case 'voided':
      return [trans.__('void'), 'bad'];
    case 'outcome_unknown':
      return [trans.__('outcome unknown'), 'bad'];
  }
}
