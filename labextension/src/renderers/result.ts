/**
 * `application/vnd.zt.result+json`: rows as the gateway let them through, with what was masked.
 */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import type { Catalogue } from '../text/explain';
import { duration } from '../text/time';
import { element, lock } from './dom';
import { listIn, numberIn, objectIn, textIn, textsIn } from './value';

export const RESULT_MIME = 'application/vnd.zt.result+json';

/** The whole output. */
const RESULT_CLASS = 'jp-ZT-Result';
/** The part that scrolls sideways. */
const SCROLL_CLASS = 'jp-ZT-Result-scroll';
/** The table. `jp-RenderedHTMLCommon` is not used: its table styles differ between releases. */
const TABLE_CLASS = 'jp-ZT-Result-table';
/** Header and cells of a masked column. */
const MASKED_CLASS = 'jp-mod-masked';
/** Header and cells of a column of numbers. */
const NUMBER_CLASS = 'jp-mod-number';
/** A cell without a value. */
const NULL_CLASS = 'jp-mod-null';
/** Type of a column, below its name. */
const TYPE_CLASS = 'jp-ZT-Result-type';
/** Lines below the table. */
const FOOTER_CLASS = 'jp-ZT-Result-footer';
/** A line of the footer that asks for attention. */
const WARNING_CLASS = 'jp-mod-warn';

interface Mask {
  kind: string;
  /** What the column holds; "" when the kernel does not say. */
  tag: string;
}

interface Column {
  name: string;
  type: string;
  /** Null when shown in clear. */
  mask: Mask | null;
}

/** Shows one result. */
export class ResultRenderer extends Widget implements IRenderMime.IRenderer {
  constructor(options: IRenderMime.IRendererOptions) {
    super();
    this._mimeType = options.mimeType;
    this._trans = catalogue(options);
    this.addClass(RESULT_CLASS);
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.node.replaceChildren(...resultNodes(model.data[this._mimeType], this._trans));
    return Promise.resolve();
  }

  private readonly _mimeType: string;
  private readonly _trans: Catalogue;
}

/** The catalogue of a renderer; English when the host gives none. */
export function catalogue(options: IRenderMime.IRendererOptions): Catalogue {
  return (
    options.translator?.load('jupyter_zt') ?? {
      __: (message, ...values: unknown[]) =>
        message.replace(/%(\d)/g, (_, index: string) => String(values[Number(index) - 1]))
    }
  );
}

/** Table and footer of a result. */
export function resultNodes(data: unknown, trans: Catalogue): HTMLElement[] {
  const result = objectIn(data);
  const columns = listIn(result.columns).map(columnIn);
  const rows = listIn(result.rows).map(listIn);
  const connection = textIn(result.connection);
  const body = element('tbody');
  for (const row of rows) {
    body.append(element('tr', {}, ...columns.map((column, at) => cell(column, row[at], trans))));
  }
  const table = element(
    'table',
    { class: TABLE_CLASS },
    element('caption', {
      class: 'jp-ZT-visuallyHidden',
      text: trans.__('Result from %1', connection)
    }),
    element('thead', {}, element('tr', {}, ...columns.map(column => header(column, trans)))),
    body
  );
  const nodes: HTMLElement[] = [];
  if (columns.length > 0) {
    nodes.push(
      element(
        'div',
        {
          class: SCROLL_CLASS,
          // Reachable by keyboard, since it may scroll (WCAG 2.1.1).
          role: 'region',
          tabindex: '0',
          'aria-label': trans.__('Result from %1', connection)
        },
        table
      )
    );
  }
  nodes.push(footer(result, columns, rows.length, trans));
  return nodes;
}

function columnIn(value: unknown): Column {
  const column = objectIn(value);
  const mask = objectIn(column.mask);
  const kind = textIn(mask.kind);
  return {
    name: textIn(column.name),
    type: textIn(column.type),
    mask: kind === '' ? null : { kind, tag: textIn(mask.tag) }
  };
}

function header(column: Column, trans: Catalogue): HTMLElement {
  const classes = classesOf(column);
  const name = element('span', { text: column.name });
  const type = element('span', { class: TYPE_CLASS, text: shortType(column.type) });
  if (column.mask === null) {
    return element('th', { scope: 'col', class: classes }, name, type);
  }
  const words = maskWords(column.mask, trans);
  return element('th', { scope: 'col', class: classes, title: words }, lock(words), name, type);
}

function cell(column: Column, value: unknown, trans: Catalogue): HTMLElement {
  const classes = classesOf(column);
  if (value === null || value === undefined) {
    const hidden = column.mask?.kind === 'hide';
    return element('td', {
      class: `${classes} ${NULL_CLASS}`.trim(),
      text: hidden ? trans.__('hidden') : trans.__('null')
    });
  }
  return element(
    'td',
    classes === '' ? { text: textIn(value) } : { class: classes, text: textIn(value) }
  );
}

function classesOf(column: Column): string {
  const classes = [];
  if (
    /^(u?int|float|double|half|decimal|numeric|real|smallint|bigint|integer)/i.test(column.type)
  ) {
    classes.push(NUMBER_CLASS);
  }
  if (column.mask !== null) {
    classes.push(MASKED_CLASS);
  }
  return classes.join(' ');
}

/** An Arrow type in as few letters as tell it apart. */
function shortType(type: string): string {
  return type
    .replace(/^timestamp\[\w+(, tz=[^\]]*)?\]$/, (_, zone?: string) =>
      zone ? 'timestamptz' : 'timestamp'
    )
    .replace(/^date32(\[day\])?$/, 'date')
    .replace(/^decimal128/, 'decimal')
    .replace(/^large_string$/, 'string')
    .replace(/^dictionary<.*$/, 'category');
}

/** What a kind of mask does to a value, in a word. */
function kindWord(kind: string, trans: Catalogue): string {
  const words: Record<string, string> = {
    hide: trans.__('hidden'),
    redact: trans.__('redacted'),
    partial: trans.__('shown in part'),
    pseudonym: trans.__('pseudonym'),
    bucket: trans.__('range')
  };
  return words[kind] ?? kind;
}

/** What was done to a column and why, for its header. */
function maskWords(mask: Mask, trans: Catalogue): string {
  const kind = kindWord(mask.kind, trans);
  return mask.tag === ''
    ? trans.__('Masked: %1', kind)
    : trans.__('Masked: %1, because it is classified as %2', kind, tagWord(mask));
}

function tagWord(mask: Mask): string {
  return mask.tag.replaceAll('_', ' ');
}

function footer(
  result: Record<string, unknown>,
  columns: readonly Column[],
  shown: number,
  trans: Catalogue
): HTMLElement {
  const count = textIn(result.row_count);
  const seconds = numberIn(result.seconds);
  const record = textIn(result.record);
  const approvers = textsIn(result.approved_by);
  const facts = [textIn(result.connection)];
  const tag = textIn(result.command_tag);
  if (tag !== '' && columns.length === 0) {
    facts.push(tag);
  } else if (count !== '') {
    facts.push(count === '1' ? trans.__('1 row') : trans.__('%1 rows', grouped(count)));
    if (shown > 0 && Number(count) > shown) {
      facts.push(trans.__('first %1 shown', shown));
    }
  }
  if (seconds !== null) {
    facts.push(duration(seconds));
  }
  if (record !== '') {
    facts.push(trans.__('record %1', record));
  }
  if (approvers.length > 0) {
    facts.push(trans.__('approved by %1', approvers.join(', ')));
  }
  const node = element('div', { class: FOOTER_CLASS });
  const line = element('div');
  for (const fact of facts.filter(text => text !== '')) {
    line.append(element('span', { text: fact }));
  }
  node.append(line);
  const masked = columns.filter(column => column.mask !== null);
  if (masked.length > 0) {
    const words = masked.map(({ name, mask }) =>
      mask === null ? name : `${name} ${kindWord(mask.kind, trans)} (${tagWord(mask)})`
    );
    node.append(
      element(
        'div',
        {},
        lock(''),
        element('span', { text: trans.__('Masked: %1', words.join(', ')) })
      )
    );
  }
  const truncated = objectIn(result.truncated);
  if (textIn(truncated.limit) !== '') {
    const text = trans.__(
      'Cut at the limit %1 = %2.',
      textIn(truncated.limit),
      grouped(textIn(truncated.value))
    );
    node.append(
      element('div', { class: WARNING_CLASS, text: `${text} ${textIn(truncated.hint)}`.trim() })
    );
  }
  return node;
}

/** Digits in groups of three: `500,000`. */
function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ',');
}
