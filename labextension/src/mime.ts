/** The mime renderers: outputs of Jupyter ZT's kernel. All build DOM from text, so all are safe. */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Widget } from '@lumino/widgets';

import { HeldRenderer, HELD_MIME } from './renderers/held';
import { HtmlRenderer, HTML_MIME } from './renderers/html';
import { ReactRenderer, REACT_MIME } from './renderers/react';
import { ResultRenderer, RESULT_MIME } from './renderers/result';

type Renderer = new (options: IRenderMime.IRendererOptions) => IRenderMime.IRenderer & Widget;

function extension(
  name: string,
  mimeType: string,
  renderer: Renderer,
  dataType: 'string' | 'json'
): IRenderMime.IExtension {
  return {
    id: `@jupyter-zt/labextension:${name}`,
    description: `Shows ${mimeType}.`,
    dataType,
    // Before every other form of the same output.
    rank: 0,
    rendererFactory: {
      safe: true,
      mimeTypes: [mimeType],
      createRenderer: options => new renderer(options)
    }
  };
}

const extensions: IRenderMime.IExtension[] = [
  extension('result', RESULT_MIME, ResultRenderer, 'json'),
  extension('held', HELD_MIME, HeldRenderer, 'json'),
  extension('react', REACT_MIME, ReactRenderer, 'json'),
  extension('html', HTML_MIME, HtmlRenderer, 'string')
];

export default extensions;
