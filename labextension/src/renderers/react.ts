/** `application/vnd.zt.react+json`: one step of an agent: thought, action, observation. */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import { explain, warning, type Catalogue } from '../text/explain';
import { commandBlock, element, marksIn } from './dom';
import { catalogue } from './result';
import { objectIn, textIn } from './value';

export const REACT_MIME = 'application/vnd.zt.react+json';

/** The card. */
const CARD_CLASS = 'jp-ZT-React';
/** Number of the step and what became of it. */
const HEAD_CLASS = 'jp-ZT-React-head';
/** Where the step stands in the log. */
const RECORD_CLASS = 'jp-ZT-React-record';
/** One of thought, action, observation. */
const PART_CLASS = 'jp-ZT-React-part';
/** A part's name. */
const LABEL_CLASS = 'jp-ZT-React-label';
/** A word in a frame: status, connection. */
const CHIP_CLASS = 'jp-ZT-Chip';
/** An observation longer than this is folded. */
const LONG_CHARACTERS = 1200;

/** Shows one step. */
export class ReactRenderer extends Widget implements IRenderMime.IRenderer {
  constructor(options: IRenderMime.IRendererOptions) {
    super();
    this._mimeType = options.mimeType;
    this._trans = catalogue(options);
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.node.replaceChildren(reactCard(model.data[this._mimeType], this._trans));
    return Promise.resolve();
  }

  private readonly _mimeType: string;
  private readonly _trans: Catalogue;
}

/** The card for what the kernel sent. */
export function reactCard(data: unknown, trans: Catalogue): HTMLElement {
  const step = objectIn(data);
  const action = objectIn(step.action);
  const thought = textIn(step.thought);
  const command = textIn(action.command);
  const observation = textIn(step.observation);
  const status = textIn(step.status);
  const record = textIn(step.record);
  const title = trans.__('Step %1', textIn(step.step));
  const card = element(
    'section',
    { class: CARD_CLASS, 'aria-label': title },
    element(
      'div',
      { class: HEAD_CLASS },
      element('span', { text: title }),
      record === ''
        ? null
        : element('span', { class: RECORD_CLASS, text: trans.__('record %1', record) }),
      status === ''
        ? null
        : element('span', { class: `${CHIP_CLASS} jp-mod-${tone(status)}`, text: status })
    )
  );
  if (thought !== '') {
    card.append(part('thought', trans.__('Thought'), element('p', { text: thought })));
  }
  if (command !== '') {
    const warn = warning(marksIn(command), trans);
    card.append(
      part(
        'action',
        trans.__('Action'),
        element('span', { class: CHIP_CLASS, text: textIn(action.connection) }),
        warn === '' ? null : element('p', { class: 'jp-ZT-Warning', text: warn }),
        commandBlock(command, piece => explain(piece, trans))
      )
    );
  }
  if (observation !== '') {
    const text = element('pre', { text: observation });
    card.append(
      part(
        'observation',
        trans.__('Observation'),
        observation.length > LONG_CHARACTERS
          ? element(
              'details',
              {},
              element('summary', { text: trans.__('%1 characters', observation.length) }),
              text
            )
          : text
      )
    );
  }
  return card;
}

function part(name: string, label: string, ...content: (Node | null)[]): HTMLElement {
  return element(
    'div',
    { class: `${PART_CLASS} jp-mod-${name}` },
    element('div', { class: LABEL_CLASS, text: label }),
    element('div', {}, ...content)
  );
}

/** Which colour a status has. */
function tone(status: string): 'good' | 'bad' | 'open' {
  if (['completed', 'final'].includes(status)) {
    return 'good';
  }
  return ['denied', 'failed', 'malformed', 'expired', 'cancelled', 'limit'].includes(status)
    ? 'bad'
    : 'open';
}
