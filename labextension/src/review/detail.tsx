/** Everything a reviewer needs of one request, in the order in which it is asked. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Approval, Vote } from '../api/types';
import { factLines, risksOf } from '../text/facts';
import { Command } from './command';

/** The open part of a card. */
const DETAIL_CLASS = 'jp-ZT-Detail';
/** Reasons, as a list. */
const REASONS_CLASS = 'jp-ZT-Detail-reasons';
/** Pairs of name and value. */
const FACTS_CLASS = 'jp-ZT-Facts';
/** Heading of a part. */
const LABEL_CLASS = 'jp-ZT-Label';
/** A word in a frame. */
const CHIP_CLASS = 'jp-ZT-Chip';

interface Props {
  approval: Approval;
  trans: TranslationBundle;
}

/** Requester, reasons, command, facts, votes. */
export function Detail({ approval, trans }: Props): React.ReactElement {
  const { name, service } = approval.requester;
  const who: [string, string][] = [
    [trans.__('Asked by'), service ? trans.__('%1 (no person)', name) : name],
    [trans.__('Agent'), approval.agent ?? trans.__('none')],
    [trans.__('Notebook'), approval.notebook]
  ];
  const risks = risksOf(approval.facts);
  return (
    <div className={DETAIL_CLASS}>
      <div className={LABEL_CLASS}>{trans.__('Runs exactly this on %1', approval.connection)}</div>
      <Command command={approval.command} label={trans.__('Command')} trans={trans} />
      {approval.parameters.map((value, at) => (
        <React.Fragment key={at}>
          <div className={LABEL_CLASS}>{trans.__('Parameter %1', at + 1)}</div>
          <Command
            command={typeof value === 'string' ? value : JSON.stringify(value)}
            label={trans.__('Parameter %1', at + 1)}
            trans={trans}
          />
        </React.Fragment>
      ))}
      {approval.reasons.length > 0 && (
        <>
          <div className={LABEL_CLASS}>{trans.__('Held because')}</div>
          <ul className={REASONS_CLASS}>
            {approval.reasons.map(reason => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        </>
      )}
      <dl className={FACTS_CLASS}>
        {factLines(approval.facts, trans).map(({ label, values }) => (
          <Pair key={label} name={label}>
            {values.map(value => (
              <code key={value}>{value}</code>
            ))}
          </Pair>
        ))}
        {risks.length > 0 && (
          <Pair name={trans.__('Risks')}>
            {risks.map(risk => (
              <span key={risk} className={`${CHIP_CLASS} jp-mod-bad`}>
                {risk}
              </span>
            ))}
          </Pair>
        )}
        {who.map(([name, value]) => (
          <Pair key={name} name={name}>
            {value}
          </Pair>
        ))}
        {(approval.quorum !== '1' || approval.votes.length > 0) && (
          <Pair name={trans.__('Votes')}>
            <Votes approval={approval} trans={trans} />
          </Pair>
        )}
        <Pair name={trans.__('Digest')}>
          <code title={approval.digest}>{approval.digest.slice(0, 12)}…</code>
        </Pair>
      </dl>
    </div>
  );
}

function Pair({ name, children }: React.PropsWithChildren<{ name: string }>): React.ReactElement {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

/** Who has decided what so far, and how many are needed. */
export function Votes({ approval, trans }: Props): React.ReactElement {
  const given = approval.votes.filter(vote => vote.approve).length;
  return (
    <>
      {trans.__('%1 of %2 approvals', given, approval.quorum)}
      {approval.votes.map(vote => (
        <div key={vote.name}>{voteWords(vote, trans)}</div>
      ))}
    </>
  );
}

/** One vote in a line: `reviewer approved: looks right`. */
export function voteWords(vote: Vote, trans: TranslationBundle): string {
  const words = vote.approve
    ? trans.__('%1 approved', vote.name)
    : trans.__('%1 denied', vote.name);
  return vote.reason === '' ? words : `${words}: ${vote.reason}`;
}
