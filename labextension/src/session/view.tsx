/** The section "Session": who you are, and how each of your kernels is confined. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Session as KernelSession } from '../api/types';
import { Trouble } from '../panel/trouble';
import type { SessionStatus } from './status';
import { recordingWords } from './words';

/** The section. */
const SESSION_CLASS = 'jp-ZT-Session';
/** Its heading. */
const HEADING_CLASS = 'jp-ZT-Heading';
/** Pairs of name and value. */
const FACTS_CLASS = 'jp-ZT-Facts';
/** A word in a frame. */
const CHIP_CLASS = 'jp-ZT-Chip';
/** One kernel. */
const CARD_CLASS = 'jp-ZT-Card';
/** Title of a kernel. */
const TITLE_CLASS = 'jp-ZT-Card-title';
/** One connection. */
const CONNECTION_CLASS = 'jp-ZT-Connection';
/** What it is. */
const META_CLASS = 'jp-ZT-Card-meta';
/** Shown when nothing runs. */
const EMPTY_CLASS = 'jp-ZT-Empty';

/** Sealed sessions shown; the recordings hold the rest. */
const SEALED_SHOWN = 3;

export namespace SessionView {
  /** What it shows, and how it acts. */
  export interface Options {
    session: SessionStatus;
    commands: CommandRegistry;
    trans: TranslationBundle;
  }
}

/** Draws the status, and draws it again when it changed. */
export class SessionView extends ReactWidget {
  constructor(private readonly options: SessionView.Options) {
    super();
    this.addClass(SESSION_CLASS);
    options.session.changed.connect(() => {
      this.update();
    }, this);
  }

  protected override render(): React.ReactElement {
    return <Session {...this.options} />;
  }
}

function Session({ session, commands, trans }: SessionView.Options): React.ReactElement {
  const { me, failure } = session;
  const open = session.sessions.filter(({ state }) => state !== 'sealed');
  const sealed = session.sessions.filter(({ state }) => state === 'sealed').slice(0, SEALED_SHOWN);
  return (
    <>
      <div className={HEADING_CLASS}>
        <h2>{trans.__('Session')}</h2>
      </div>
      {failure?.kind === 'refused' && (
        <Trouble failure={failure} commands={commands} trans={trans} />
      )}
      <dl className={FACTS_CLASS}>
        <dt>{trans.__('You')}</dt>
        <dd>{me ? <strong title={`${me.issuer}#${me.subject}`}>{me.name}</strong> : '–'}</dd>
        <dt>{trans.__('Roles')}</dt>
        <dd>
          {me?.roles.map(role => (
            <span key={role} className={`${CHIP_CLASS} jp-mod-quiet`}>
              {role}
            </span>
          ))}
          {me?.roles.length === 0 && trans.__('none: an administrator can give you one')}
        </dd>
        <dt>{trans.__('Gateway')}</dt>
        <dd>
          {failure?.kind === 'unreachable' ? (
            <span className={`${CHIP_CLASS} jp-mod-bad`}>{trans.__('not reachable')}</span>
          ) : failure?.kind === 'logged_out' ? (
            <span className={`${CHIP_CLASS} jp-mod-bad`}>{trans.__('logged out')}</span>
          ) : me ? (
            <span className={`${CHIP_CLASS} jp-mod-good`}>{trans.__('connected')}</span>
          ) : (
            '–'
          )}
        </dd>
      </dl>
      {me && open.length === 0 && !failure && (
        <div className={EMPTY_CLASS}>
          <p>{trans.__('No kernel is running. Open a notebook to start one.')}</p>
        </div>
      )}
      <ul className="jp-ZT-List">
        {[...open, ...sealed].map(item => (
          <Kernel key={item.id} session={item} trans={trans} />
        ))}
      </ul>
    </>
  );
}

function Kernel(props: { session: KernelSession; trans: TranslationBundle }): React.ReactElement {
  const { session, trans } = props;
  const open = session.state !== 'sealed';
  const confined = session.sandbox.state === 'sandboxed';
  const [words, tone] = recordingWords(session, trans);
  return (
    <li className={CARD_CLASS}>
      <span className={TITLE_CLASS}>
        <strong title={session.id}>{session.notebook}</strong>
        <span className={`${CHIP_CLASS} jp-mod-${tone}`}>{words}</span>
      </span>
      {open && !confined && (
        <p className="jp-ZT-Warning" role="alert">
          {trans.__('No sandbox: this kernel can reach whatever the server can.')}{' '}
          {session.sandbox.detail}
        </p>
      )}
      {open && (
        <dl className={FACTS_CLASS}>
          <dt>{trans.__('Sandbox')}</dt>
          <dd>
            <span className={`${CHIP_CLASS} jp-mod-${confined ? 'good' : 'bad'}`}>
              {confined ? trans.__('sandboxed') : trans.__('unsandboxed')}
            </span>
            {confined && ` ${session.sandbox.detail}`}
          </dd>
          {session.agent && (
            <>
              <dt>{trans.__('Agent')}</dt>
              <dd>{session.agent}</dd>
            </>
          )}
          {session.connections.length > 0 && (
            <>
              <dt>{trans.__('Connections')}</dt>
              <dd>
                {session.connections.map(({ name, kind, description }) => (
                  <div key={name} className={CONNECTION_CLASS} title={kind}>
                    <code>{name}</code>
                    <span className={META_CLASS}>{description || kind}</span>
                  </div>
                ))}
              </dd>
            </>
          )}
          {session.recording_file && (
            <>
              <dt>{trans.__('Recording')}</dt>
              <dd>{session.recording_file}</dd>
            </>
          )}
          <dt>{trans.__('Id')}</dt>
          <dd>
            <code title={session.id}>{session.id.slice(0, 12)}…</code>
          </dd>
        </dl>
      )}
    </li>
  );
}
