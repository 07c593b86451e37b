import { heldCard } from '../src/renderers/held';
import { harmless } from '../src/renderers/html';
import { reactCard } from '../src/renderers/react';
import { resultNodes } from '../src/renderers/result';
import { nullTranslator } from '@jupyterlab/translation';

const trans = nullTranslator.load('jupyter_zt');
const NOW = Date.parse('2026-01-01T12:00:00Z');

function shown(...nodes: HTMLElement[]): HTMLElement {
  const box = document.createElement('div');
  box.append(...nodes);
  return box;
}

describe('result', () => {
  const result = {
    v: '1',
    connection: 'warehouse',
    columns: [
      { name: 'id', type: 'int64', mask: null },
      { name: 'email', type: 'string', mask: { kind: 'redact', tag: 'email' } },
      { name: 'ssn', type: 'string', mask: { kind: 'hide', tag: 'national_id' } }
    ],
    rows: [
      ['1', '<img src=x onerror=alert(1)>', null],
      [null, 'x', null]
    ],
    row_count: '100000',
    seconds: 0.013,
    record: '17',
    truncated: { limit: 'max_rows', value: '1000', hint: 'Narrow it.' },
    approved_by: ['reviewer']
  };
  const box = shown(...resultNodes(result, trans));

  it('is a table with column headers and a caption', () => {
    expect(box.querySelector('caption')?.textContent).toContain('warehouse');
    expect([...box.querySelectorAll('th')].every(th => th.scope === 'col')).toBe(true);
  });

  it('marks masked columns with a lock that says what and why', () => {
    const locks = [...box.querySelectorAll('th [role=img]')].map(lock =>
      lock.getAttribute('aria-label')
    );
    expect(locks).toEqual([
      'Masked: redacted, because it is classified as email',
      'Masked: hidden, because it is classified as national id'
    ]);
  });

  it('shows markup in values as text', () => {
    expect(box.querySelector('img')).toBeNull();
    expect(box.textContent).toContain('<img src=x onerror=alert(1)>');
  });

  it('aligns numbers and dims what is not there', () => {
    expect(box.querySelector('td')?.className).toBe('jp-mod-number');
    expect([...box.querySelectorAll('.jp-mod-null')].map(cell => cell.textContent)).toEqual([
      'hidden',
      'null',
      'hidden'
    ]);
  });

  it('tells rows, time, record, approver and the limit', () => {
    const footer = box.querySelector('.jp-ZT-Result-footer')?.textContent ?? '';
    for (const words of [
      '100,000 rows',
      'first 2 shown',
      '13 ms',
      'record 17',
      'approved by reviewer',
      'Narrow it.'
    ]) {
      expect(footer).toContain(words);
    }
  });

  it('tells what a write did', () => {
    const write = {
      connection: 'w',
      columns: [],
      rows: [],
      row_count: '42',
      command_tag: 'UPDATE 42'
    };
    expect(shown(...resultNodes(write, trans)).textContent).toBe('wUPDATE 42');
  });

  it.each([null, 7, 'x', [], { columns: 'no', rows: {} }, { columns: [null], rows: [null, [{}]] }])(
    'survives %j',
    data => {
      expect(resultNodes(data, trans).length).toBeGreaterThan(0);
    }
  );
});

describe('waiting card', () => {
  const held = (changes: object): unknown => ({
    v: '1',
    state: 'waiting',
    connection: 'warehouse',
    approval: {
      reviewer_role: 'reviewer',
      quorum: '1',
      reasons: ['changes rows'],
      expires_at: '2026-01-01T12:05:00Z'
    },
    message: '',
    ...changes
  });

  it('says for whom it waits, why, and how long', () => {
    const { textContent } = heldCard(held({}), NOW, trans);
    expect(textContent).toContain('waiting for the approval of a reviewer');
    expect(textContent).toContain('changes rows');
    expect(textContent).toContain('5:00');
  });

  it('does not wait for ever in a notebook that is opened later', () => {
    const card = heldCard(held({}), NOW + 3_600_000, trans);
    expect(card.className).toContain('jp-mod-expired');
    expect(card.textContent).toContain('Run the cell again');
  });

  it('shows the reason of a denial', () => {
    const card = heldCard(
      held({ state: 'denied', message: 'reviewer: not on a Friday' }),
      NOW,
      trans
    );
    expect(card.className).toContain('jp-mod-denied');
    expect(card.textContent).toContain('not on a Friday');
  });

  it('never takes a state that it does not know for consent', () => {
    expect(heldCard(held({ state: 'superapproved' }), NOW, trans).className).toContain(
      'jp-mod-unknown'
    );
  });

  it('leaves out the plain form of itself', () => {
    const card = heldCard(held({ message: 'Held: waits.\n  - changes rows' }), NOW, trans);
    expect(card.textContent?.match(/changes rows/g)).toHaveLength(1);
  });
});

describe('step of an agent', () => {
  it('shows thought, action with marks, observation', () => {
    const card = reactCard(
      {
        step: 2,
        thought: 'count <b>',
        action: { connection: 'warehouse', command: 'SELECT\u202e 1' },
        observation: '1 row',
        status: 'completed'
      },
      trans
    );
    expect(card.querySelector('b')).toBeNull();
    expect(card.querySelector('.jp-ZT-Mark')?.textContent).toBe('U+202E');
    expect(card.textContent).toContain('1 row');
  });
});

describe('foreign HTML', () => {
  const clean = (html: string): HTMLElement => {
    const box = document.createElement('div');
    box.append(harmless(html));
    return box;
  };

  it.each([
    '<script>alert(1)</script>',
    '<meta http-equiv=refresh content="0;url=https://a.example">',
    '<link rel=dns-prefetch href=//a.example>',
    '<base href=https://a.example>',
    '<iframe srcdoc="<script>1</script>"></iframe>',
    '<object data=https://a.example></object>',
    '<video src=https://a.example></video>',
    '<svg><set attributeName=href to="javascript:1"></set></svg>',
    '<svg><animate attributeName=href values="javascript:1"></animate></svg>'
  ])('drops %s', html => {
    expect(clean(html).querySelector('*:not(svg)')).toBeNull();
  });

  it.each([
    '<b onclick="x()">t</b>',
    '<a href="https://a.example/?q">t</a>',
    '<a href="data:image/png;base64,AA">t</a>',
    '<a href="javascript:x()">t</a>',
    '<svg><a xlink:href="javascript:x()">t</a></svg>',
    '<img src="https://a.example/x.png">',
    '<img srcset="https://a.example/x.png">',
    '<img name=body>',
    '<form action="/zt/api/approvals">t</form>',
    '<td background="https://a.example">t</td>'
  ])('takes what acts from %s', html => {
    const all = [...clean(html).querySelectorAll('*')];
    expect(all.flatMap(node => [...node.attributes])).toEqual([]);
  });

  it('keeps tables, styles and images within the text', () => {
    const box = clean(
      '<style>.a{color:red}</style><table border=1 class=dataframe><tr><td style="color:blue">1</td></tr></table>' +
        '<img src="data:image/png;base64,AA=="><a href="#x">t</a>'
    );
    expect(box.querySelector('style')?.textContent).toBe('.a{color:red}');
    expect(box.querySelector('td')?.getAttribute('style')).toBe('color:blue');
    expect(box.querySelector('img')?.getAttribute('src')).toContain('data:image/png');
    expect(box.querySelector('a')?.getAttribute('href')).toBe('#x');
  });
});
