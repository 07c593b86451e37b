/**
 * Stock renderers, for markup that nobody vouches for.
 *
 * JupyterLab's sanitizer takes scripts away, and lets commands, forms, links and classes through: a
 * click would run a command here, load this page anew or leave it, and the page's own styles would
 * make an output look like a dialog of JupyterLab.
 */
import { PageConfig } from '@jupyterlab/coreutils';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

/** An attribute by which a click runs a command of JupyterLab. */
const COMMAND = 'data-commandlinker-command';
/** What JupyterLab itself puts there, for a link to a file beside the notebook. */
const FOLLOW_LOCAL_LINK = 'rendermime:handle-local-link';

/** Types whose renderers run what they show: JavaScript, and Vega's expressions. */
const PROGRAMS = /^(text|application)\/(x-)?(java|ecma)script$|^application\/vnd\.vega/;

/** Types whose renderers put markup of the kernel's into the page. */
const MARKUP = /^text\/(html|markdown|latex)$/;

/** Classes that renderers add: of headings, of highlighted code, and of formulas. */
const HARMLESS_CLASS =
  /^(jp-InternalAnchorLink|jp-Rendered(HTML|Markdown|Mermaid)\w*|cm-[\w-]+|ͼ\w+|MathJax|MJX[\w-]*|TEX-[\w-]+|CtxtMenu_\w+)$/i;

/** The same renderer, without the types that are programs. */
export function withoutPrograms(
  factory: IRenderMime.IRendererFactory
): IRenderMime.IRendererFactory {
  return { ...factory, mimeTypes: factory.mimeTypes.filter(type => !PROGRAMS.test(type)) };
}

/** The same renderer, for which no model is trusted, and in which no click acts on this server. */
export function withoutTrust(factory: IRenderMime.IRendererFactory): IRenderMime.IRendererFactory {
  return {
    ...factory,
    createRenderer: options => {
      const renderer = factory.createRenderer(options);
      const render = renderer.renderModel.bind(renderer);
      renderer.renderModel = model => render(untrusted(model));
      keep(renderer.node, disarm);
      if (MARKUP.test(options.mimeType)) {
        keep(renderer.node, unstyle);
      }
      return renderer;
    }
  };
}

/** Takes away what a click would do here: run a command, send a form, go to a page as `/logout`. */
export function disarm(node: HTMLElement): void {
  for (const armed of node.querySelectorAll(`[${COMMAND}]`)) {
    if (armed.getAttribute(COMMAND) !== FOLLOW_LOCAL_LINK) {
      armed.removeAttribute(COMMAND);
    }
  }
  for (const form of node.querySelectorAll('form')) {
    form.replaceWith(...form.childNodes);
  }
  for (const link of node.querySelectorAll<HTMLAnchorElement>('a[href], area[href]')) {
    if (leadsIntoThisServer(link)) {
      link.removeAttribute('href');
    }
  }
}

/** Takes away the names by which styles of the page, such as those of its dialogs, would apply. */
export function unstyle(node: HTMLElement): void {
  for (const named of node.querySelectorAll('[class]')) {
    for (const name of [...named.classList]) {
      if (!HARMLESS_CLASS.test(name)) {
        named.classList.remove(name);
      }
    }
  }
}

/**
 * Renderers go on after they have put markup into the page: they resolve addresses, and typeset
 * formulas. An observer is told before the next event (DOM Living Standard, "queue a mutation
 * observer microtask"), so that nobody can press anything in between.
 */
function keep(node: HTMLElement, done: (node: HTMLElement) => void): void {
  const observer = new MutationObserver(() => {
    done(node);
  });
  const attributeFilter = ['href', COMMAND];
  observer.observe(node, { subtree: true, childList: true, attributeFilter });
}

/** Not a place in the same page, and not a file. */
function leadsIntoThisServer({ origin, pathname }: HTMLAnchorElement): boolean {
  const files = new URL('files/', new URL(PageConfig.getBaseUrl(), location.href)).pathname;
  return (
    origin === location.origin && pathname !== location.pathname && !pathname.startsWith(files)
  );
}

function untrusted(model: IRenderMime.IMimeModel): IRenderMime.IMimeModel {
  return {
    trusted: false,
    data: model.data,
    metadata: model.metadata,
    setData: options => {
      model.setData(options);
    }
  };
}
