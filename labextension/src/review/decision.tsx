/**
 * The decision on the open request: first a step that only asks, then the answer of a person.
 *
 * The answering button is never where the asking one was, so that a double click can't be both,
 * and it takes only events that the browser made for a person (`isTrusted`).
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { Said } from '../panel/trouble';
import { CommandIds } from '../commands';
import type { Approval } from '../api/types';
import type { Desk } from './desk';

/** Row of the two asking buttons. */
const ASK_CLASS = 'jp-ZT-Decision-ask';
/** The question with its answers; `jp-mod-approving`, `jp-mod-denying`. */
const CONFIRM_CLASS = 'jp-ZT-Decision-confirm';
/** Row of the answers. */
const ANSWERS_CLASS = 'jp-ZT-Decision-answers';
/** Instead of buttons, for who may not decide. */
const WAIT_CLASS = 'jp-ZT-Decision-wait';

const MAX_REASON_CHARACTERS = 2000;

interface Props {
  desk: Desk;
  detail: Approval;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/** Buttons, question, or the word that it is for others to decide. */
export function Decision(props: Props): React.ReactElement | null {
  const { desk, detail, commands, trans } = props;
  if (detail.state !== 'open') {
    return null;
  }
  if (detail.mine || !detail.may_decide) {
    return <p className={WAIT_CLASS}>{waitWords(detail, trans)}</p>;
  }
  if (desk.step !== 'reading') {
    return <Confirm {...props} />;
  }
  return (
    <div className={ASK_CLASS}>
      {[CommandIds.approve, CommandIds.deny].map(id => (
        <button
          key={id}
          type="button"
          className={`jp-mod-styled ${id === CommandIds.approve ? 'jp-mod-accept' : 'jp-mod-warn'}`}
          disabled={!commands.isEnabled(id)}
          title={commands.caption(id)}
          onClick={() => void commands.execute(id)}
        >
          {commands.label(id)}
        </button>
      ))}
    </div>
  );
}

function Confirm({ desk, detail, commands, trans }: Props): React.ReactElement {
  const [reason, setReason] = React.useState('');
  const [denies] = React.useState(desk.step === 'denying');
  const safe = React.useRef<HTMLButtonElement>(null);
  const text = React.useRef<HTMLTextAreaElement>(null);
  const question = React.useId();
  const sending = desk.step === 'sending';
  const ready = !sending && (!denies || reason.trim() !== '');
  React.useEffect(() => {
    (denies ? text.current : safe.current)?.focus({ preventScroll: true });
    safe.current?.scrollIntoView({ block: 'nearest' });
  }, [denies]);
  const answer = (event: React.SyntheticEvent): void => {
    if (event.nativeEvent.isTrusted && ready) {
      void desk.confirm(denies ? 'denying' : 'approving', reason);
    }
  };
  return (
    <div
      className={`${CONFIRM_CLASS} jp-mod-${denies ? 'denying' : 'approving'}`}
      role="group"
      aria-labelledby={question}
      // Letters typed here are text, not the inbox's shortcuts.
      data-lm-suppress-shortcuts="true"
      onKeyDown={event => {
        if (event.key === 'Escape') {
          void commands.execute(CommandIds.back);
        } else if (denies && event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
          answer(event);
        }
      }}
    >
      <p id={question}>
        {denies
          ? trans.__('Deny this request of %1?', detail.requester.name)
          : trans.__(
              'Run exactly this on %1, once, for %2?',
              detail.connection,
              detail.requester.name
            )}
      </p>
      <label>
        {denies ? trans.__('Reason, for the requester') : trans.__('Reason (optional)')}
        <textarea
          ref={text}
          className="jp-mod-styled"
          rows={2}
          maxLength={MAX_REASON_CHARACTERS}
          value={reason}
          placeholder={denies ? trans.__('What should be done instead?') : ''}
          onChange={event => {
            setReason(event.target.value);
          }}
        />
      </label>
      {desk.failure && (
        <div className="jp-ZT-Warning" role="alert">
          <Said failure={desk.failure} />
        </div>
      )}
      <div className={ANSWERS_CLASS}>
        <button
          ref={safe}
          type="button"
          className="jp-mod-styled jp-mod-minimal"
          disabled={sending}
          onClick={() => void commands.execute(CommandIds.back)}
        >
          {trans.__('Back')}
        </button>
        <button
          type="button"
          className={`jp-mod-styled ${denies ? 'jp-mod-warn' : 'jp-mod-accept'}`}
          disabled={!ready}
          onClick={answer}
        >
          {sending
            ? trans.__('Sending…')
            : denies
              ? trans.__('Yes, deny')
              : trans.__('Yes, approve')}
        </button>
      </div>
    </div>
  );
}

function waitWords(detail: Approval, trans: TranslationBundle): string {
  return detail.mine
    ? trans.__('You asked for this. Waiting for a %1.', detail.reviewer_role)
    : trans.__('Waiting for a %1.', detail.reviewer_role);
}
