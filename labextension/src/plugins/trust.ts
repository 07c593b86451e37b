/**
 * Trust changes nothing here, and no output is a program.
 *
 * JupyterLab shows markup of a notebook or document that somebody trusts as it is: it could repaint
 * this page, and so a request that waits for a decision. What a kernel wrote into a file is no better
 * than its outputs, and one click of *Trust* must not make it so.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { withoutPrograms, withoutTrust } from '../renderers/untrusted';

export const trustPlugin: JupyterFrontEndPlugin<void> = {
  id: '@jupyter-zt/labextension:trust',
  description: 'Shows notebooks and documents in their safe form, trusted or not.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (_app: JupyterFrontEnd, registry: IRenderMimeRegistry): void => {
    // Notebook 7 loads every renderer that it comes with, `disabledExtensions` or not, and some
    // after this plugin: so it is the registry that takes none.
    const add = registry.addFactory.bind(registry);
    registry.addFactory = (factory, rank) => {
      add(withoutTrust(withoutPrograms(factory)), rank);
    };
    for (const mimeType of [...registry.mimeTypes]) {
      const factory = registry.getFactory(mimeType);
      const rank = registry.getRank(mimeType);
      registry.removeMimeType(mimeType);
      if (factory !== undefined) {
        registry.addFactory({ ...factory, mimeTypes: [mimeType] }, rank);
      }
    }
  }
};
