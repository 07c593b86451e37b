/**
 * `application/vnd.zt.html`: HTML that code in the kernel made, shown so that it can't act.
 *
 * The kernel is not trusted, and what it displays is opened by other people too. So:
 * (1) the HTML is parsed in a document that loads and runs nothing, and stripped of what acts;
 * (2) what is left is put into a frame without `allow-scripts`, whose own policy allows no
 *     request at all but for images within the text (data: URLs).
 * `allow-same-origin` lets this page fit the frame's height; without scripts it gives the content
 * nothing. The two together with `allow-scripts` would take the sandbox away (HTML Living
 * Standard, "sandbox" attribute), so that one must never be added.
 */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import type { Catalogue } from '../text/explain';
import { element } from './dom';
import { catalogue } from './result';
import { textIn } from './value';

export const HTML_MIME = 'application/vnd.zt.html';

/** The output. */
const HTML_CLASS = 'jp-ZT-Html';
/** The frame in it. */
const FRAME_CLASS = 'jp-ZT-Html-frame';

const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; form-action 'none'; base-uri 'none'";

/** The empty frame. */
const SKELETON = `<!doctype html><html><head><meta http-equiv="Content-Security-Policy" content="${POLICY}"></head><body></body></html>`;

/** Nothing is taller: a page of a million lines must not be laid out at once. */
const MAX_HEIGHT_PX = 20_000;

/** Elements that load, embed, submit, or change other elements. */
const ACTIVE_ELEMENTS = [
  ...['script', 'noscript', 'template', 'meta', 'link', 'base', 'iframe', 'frame', 'frameset'],
  ...['object', 'embed', 'applet', 'portal', 'audio', 'video', 'source', 'track'],
  ...['animate', 'animateMotion', 'animateTransform', 'set']
].join(',');

/** Attributes that load, submit, navigate, or shadow a document's own properties. */
const ACTIVE_ATTRIBUTES = new Set([
  ...['action', 'formaction', 'ping', 'target', 'srcset', 'background', 'poster', 'name'],
  ...['autofocus', 'srcdoc', 'data', 'codebase', 'manifest', 'nonce']
]);

/** Attributes that may name a place in the same text, or an image within it. */
const ADDRESS_ATTRIBUTES = new Set(['href', 'xlink:href', 'src']);

/** Shows one piece of HTML. */
export class HtmlRenderer extends Widget implements IRenderMime.IRenderer {
  constructor(options: IRenderMime.IRendererOptions) {
    super();
    this._mimeType = options.mimeType;
    this._trans = catalogue(options);
    this.addClass(HTML_CLASS);
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._content = harmless(textIn(model.data[this._mimeType]));
    this._watch?.disconnect();
    this._theme?.disconnect();
    const frame = element('iframe', {
      class: FRAME_CLASS,
      sandbox: 'allow-same-origin',
      title: this._trans.__('Output')
    });
    // Also when the notebook moves the cell in the page, which loads the frame again.
    frame.addEventListener('load', () => {
      this._fill(frame);
    });
    frame.srcdoc = SKELETON;
    this.node.replaceChildren(frame);
    return Promise.resolve();
  }

  override dispose(): void {
    this._watch?.disconnect();
    this._theme?.disconnect();
    super.dispose();
  }

  private _fill(frame: HTMLIFrameElement): void {
    const inside = frame.contentDocument;
    if (inside === null) {
      return;
    }
    // Held from before the content is there: its ids can't stand in for these.
    const { head, body } = inside;
    const style = inside.createElement('style');
    // As it is now: the theme may have come while the frame was loading.
    style.textContent = look();
    head.append(style);
    const box = inside.createElement('div');
    box.className = 'jp-RenderedHTMLCommon';
    box.append(inside.importNode(this._content, true));
    body.replaceChildren(box);
    const fit = (): void => {
      const height = Math.ceil(box.getBoundingClientRect().height);
      frame.style.height = `${Math.min(height, MAX_HEIGHT_PX)}px`;
    };
    fit();
    this._watch?.disconnect();
    this._watch = new ResizeObserver(fit);
    this._watch.observe(box);
    this._theme?.disconnect();
    this._theme = new MutationObserver(() => {
      style.textContent = look();
    });
    this._theme.observe(document.body, { attributeFilter: ['data-jp-theme-name'] });
    // A click on the output selects its cell, as with outputs that are no frame.
    inside.addEventListener('click', () => {
      if (inside.getSelection()?.isCollapsed ?? true) {
        this.node.closest<HTMLElement>('[tabindex]')?.focus({ preventScroll: true });
      }
    });
  }

  private _content = new DocumentFragment();
  private _watch: ResizeObserver | null = null;
  private _theme: MutationObserver | null = null;
  private readonly _mimeType: string;
  private readonly _trans: Catalogue;
}

/**
 * The parts of an HTML text that only show something.
 *
 * @returns Nodes of an inert document: nothing in them has been loaded or run.
 */
export function harmless(html: string): DocumentFragment {
  const inert = new DOMParser().parseFromString(html, 'text/html');
  for (const node of inert.querySelectorAll(ACTIVE_ELEMENTS)) {
    node.remove();
  }
  for (const node of inert.querySelectorAll('*')) {
    for (const { name, value } of [...node.attributes]) {
      if (acts(node.localName, name.toLowerCase(), value)) {
        node.removeAttribute(name);
      }
    }
  }
  const fragment = inert.createDocumentFragment();
  // Styles stand in the head when the text begins with them, as pandas' Styler writes it.
  fragment.append(...inert.head.childNodes, ...inert.body.childNodes);
  return fragment;
}

function acts(tag: string, name: string, value: string): boolean {
  if (ADDRESS_ATTRIBUTES.has(name)) {
    const inside = tag === 'a' || tag === 'area' ? /^#/ : /^\s*(#|data:image\/)/i;
    return !inside.test(value);
  }
  return name.startsWith('on') || ACTIVE_ATTRIBUTES.has(name);
}

/** Variables of the theme that outputs are written with. */
const THEME_VARIABLES = [
  ...['--jp-content-font-family', '--jp-content-font-size1', '--jp-content-line-height'],
  ...['--jp-ui-font-family', '--jp-ui-font-size1', '--jp-code-font-family', '--jp-code-font-size'],
  ...[0, 1, 2, 3].map(level => `--jp-content-font-color${level}`),
  ...[0, 1, 2, 3].map(level => `--jp-ui-font-color${level}`),
  ...[0, 1, 2, 3].map(level => `--jp-border-color${level}`),
  ...[0, 1, 2, 3, 4].map(level => `--jp-layout-color${level}`),
  ...[0, 1, 2, 3].flatMap(level =>
    ['brand', 'accent', 'success', 'warn', 'error', 'info'].map(
      word => `--jp-${word}-color${level}`
    )
  ),
  '--jp-rendermime-table-row-background',
  '--jp-rendermime-table-row-hover-background',
  '--jp-rendermime-error-background'
];

/** The theme as it is now, and what is written with it. */
function look(): string {
  const theme = getComputedStyle(document.body);
  const variables = THEME_VARIABLES.map(name => `${name}: ${theme.getPropertyValue(name)};`);
  return `:root { color-scheme: ${theme.colorScheme || 'normal'}; ${variables.join(' ')} }\n${LOOK}`;
}

/** How JupyterLab shows HTML outputs, for the tags that data libraries write. */
const LOOK = `
html, body { margin: 0; padding: 0; background: transparent; }
body {
  color: var(--jp-content-font-color1);
  font-family: var(--jp-content-font-family);
  font-size: var(--jp-content-font-size1);
  line-height: var(--jp-content-line-height);
}
body > div { overflow-x: auto; padding: 1px 0; }
table { border-collapse: collapse; border-spacing: 0; border: none; font-size: 12px; }
thead { border-bottom: 1px solid var(--jp-border-color1); vertical-align: bottom; }
td, th { padding: 0.5em; text-align: right; vertical-align: middle; line-height: normal; border: none; }
th { font-weight: bold; }
tbody tr:nth-child(odd) { background: var(--jp-layout-color0); }
tbody tr:nth-child(even) { background: var(--jp-rendermime-table-row-background); }
tbody tr:hover { background: var(--jp-rendermime-table-row-hover-background); }
code, pre { font-family: var(--jp-code-font-family); font-size: var(--jp-code-font-size); }
img { max-width: 100%; }
a { color: inherit; }
`;
