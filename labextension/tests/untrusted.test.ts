import { disarm, unstyle, withoutPrograms, withoutTrust } from '../src/renderers/untrusted';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

function nodes(html: string): Node[] {
  return [...new DOMParser().parseFromString(html, 'text/html').body.childNodes];
}

function shown(html: string): HTMLElement {
  const box = document.createElement('div');
  box.append(...nodes(html));
  disarm(box);
  return box;
}

class Writes extends Widget implements IRenderMime.IRenderer {
  trusted: boolean | undefined;

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.trusted = model.trusted;
    this.node.replaceChildren(...nodes(model.data['text/html'] as string));
    // As one that still waits for a formula.
    return new Promise(() => undefined);
  }
}

const factory = (renderer: IRenderMime.IRenderer, ...mimeTypes: string[]) => ({
  safe: true,
  mimeTypes,
  createRenderer: () => renderer
});

describe('disarm', () => {
  it('takes away commands but that of links to files', () => {
    const box = shown(
      '<a data-commandlinker-command="help:open">x</a>' +
        '<a data-commandlinker-command="rendermime:handle-local-link">y</a>'
    );
    expect(box.querySelectorAll('[data-commandlinker-command]')).toHaveLength(1);
    expect(box.textContent).toBe('xy');
  });

  it('takes away forms, and keeps what they show', () => {
    const box = shown('<form><form><p>x <button>press</button></p></form></form>');
    expect(box.querySelector('form')).toBeNull();
    expect(box.querySelector('button')?.textContent).toBe('press');
  });

  it('takes away links into this server, and no others', () => {
    const box = shown(
      '<a href="/logout">1</a><a href="/files/a.csv">2</a><a href="#here">3</a>' +
        '<a href="https://example.org/">4</a>'
    );
    expect([...box.querySelectorAll('a[href]')].map(link => link.textContent)).toEqual([
      '2',
      '3',
      '4'
    ]);
  });
});

describe('unstyle', () => {
  it("takes away the page's classes, and leaves those of formulas and code", () => {
    const box = document.createElement('div');
    box.append(
      ...nodes(
        '<div class="Toastify__toast-container jp-Dialog lm-Menu"><b class="mjx-i TEX-I">x</b>' +
          '<i class="cm-keyword ͼ1a">y</i></div>'
      )
    );
    unstyle(box);
    expect(box.firstElementChild?.classList).toHaveLength(0);
    expect(box.querySelector('b')?.className).toBe('mjx-i TEX-I');
    expect(box.querySelector('i')?.className).toBe('cm-keyword ͼ1a');
  });
});

describe('a renderer without trust', () => {
  it('shows nothing that is armed, even before it is done', async () => {
    const renderer = new Writes();
    const wrapped = withoutTrust(factory(renderer, 'text/html'));
    const html = '<form><a class="jp-Dialog" data-commandlinker-command="help:open">x</a></form>';
    const model = { trusted: true, data: { 'text/html': html }, metadata: {}, setData: jest.fn() };
    void wrapped
      .createRenderer({ mimeType: 'text/html' } as IRenderMime.IRendererOptions)
      .renderModel(model);
    await Promise.resolve();
    expect(renderer.trusted).toBe(false);
    expect(renderer.node.querySelector('a')?.attributes).toHaveLength(1);
    expect(renderer.node.querySelector('a')?.className).toBe('');
    expect(renderer.node.querySelector('form')).toBeNull();
  });

  it('is none for programs', () => {
    const types = ['application/javascript', 'text/javascript', 'application/vnd.vega.v5+json'];
    const { mimeTypes } = withoutPrograms(factory(new Writes(), ...types, 'text/html'));
    expect(mimeTypes).toEqual(['text/html']);
  });
});
