/** `*.zt.ipynb`: recordings have an icon of their own, and say what they are when opened. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { DocumentRegistry, IDocumentWidget } from '@jupyterlab/docregistry';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Widget } from '@lumino/widgets';

import { recordingIcon } from '../icons';

/** How a recording's file name ends. */
const EXTENSION = '.zt.ipynb';
/** The label in a recording's toolbar. */
const LABEL_CLASS = 'jp-ZT-RecordingLabel';

export const recordingPlugin: JupyterFrontEndPlugin<void> = {
  id: '@jupyter-zt/labextension:recording',
  description: 'File type of recordings.',
  autoStart: true,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_zt');
    app.docRegistry.addFileType({
      name: 'jupyter-zt-recording',
      displayName: trans.__('Recording'),
      extensions: [EXTENSION],
      mimeTypes: ['application/x-ipynb+json'],
      contentType: 'notebook',
      fileFormat: 'json',
      icon: recordingIcon
    });
    app.docRegistry.addWidgetExtension('Notebook', new RecordingLabel(trans));
  }
};

/** Puts the word "Recording" into the toolbar of a recording. */
class RecordingLabel implements DocumentRegistry.IWidgetExtension<
  IDocumentWidget,
  DocumentRegistry.IModel
> {
  constructor(private readonly trans: TranslationBundle) {}

  createNew(
    widget: IDocumentWidget,
    context: DocumentRegistry.IContext<DocumentRegistry.IModel>
  ): IDisposable {
    const label = new Widget();
    if (!context.path.toLowerCase().endsWith(EXTENSION)) {
      return label;
    }
    label.addClass(LABEL_CLASS);
    label.node.textContent = this.trans.__('Recording');
    label.node.title = this.trans.__(
      'Written by Jupyter ZT. Changes here are found by `jupyter zt verify`.'
    );
    widget.toolbar.insertItem(0, 'jupyter-zt-recording', label);
    return label;
  }
}
