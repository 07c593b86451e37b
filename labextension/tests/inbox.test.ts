import { Failure } from '../src/api/failure';
import { decidable, Inbox, sections } from '../src/review/inbox';
import { approval, Gateway, until } from './fixtures';

describe('sections of the inbox', () => {
  const first = approval({ id: 'p_1', opened_at: '2026-01-01T12:00:00Z' });
  const second = approval({ id: 'p_2', opened_at: '2026-01-01T12:01:00Z' });

  it('keeps the oldest first, so that nothing moves under the pointer', () => {
    expect(sections([second, first]).toDecide.map(item => item.id)).toEqual(['p_1', 'p_2']);
  });

  it('keeps what others decide apart', () => {
    const mine = approval({ id: 'p_3', mine: true, may_decide: false });
    const other = approval({ id: 'p_4', may_decide: false });
    expect(sections([first, mine, other]).waiting.map(item => item.id)).toEqual(['p_3', 'p_4']);
  });

  it('lists decided ones newest first', () => {
    const old = approval({ ...first, state: 'denied' });
    const young = approval({ ...second, state: 'executed' });
    expect(sections([old, young]).decided.map(item => item.id)).toEqual(['p_2', 'p_1']);
  });

  it('never offers a decision on an own request, whatever the server says', () => {
    expect(decidable(approval({ mine: true, may_decide: true }))).toBe(false);
  });
});

describe('the live inbox', () => {
  let gateway: Gateway;
  let inbox: Inbox;

  beforeEach(() => {
    gateway = new Gateway([approval()]);
    inbox = new Inbox(gateway, document);
  });

  afterEach(() => {
    inbox.dispose();
  });

  it('asks at once, then holds one line open', async () => {
    await inbox.start();
    await until(inbox, () => inbox.loaded);
    gateway.becomes([approval(), approval({ id: 'p_2' })]);
    await until(inbox, () => inbox.approvals.length === 2);
    expect(gateway.waits.slice(0, 2)).toEqual([0, 25]);
  });

  it('keeps the list and says so while the gateway does not answer', async () => {
    await inbox.start();
    await until(inbox, () => inbox.loaded);
    gateway.fails(new Failure('unreachable', 'unavailable', 'down', ''));
    inbox.refresh();
    await until(inbox, () => inbox.failure?.kind === 'unreachable');
    expect(inbox.approvals).toHaveLength(1);
    gateway.fails(null);
    inbox.refresh();
    await until(inbox, () => inbox.failure === null);
  });

  it('forgets what it knew when the login is over', async () => {
    await inbox.start();
    await until(inbox, () => inbox.loaded);
    gateway.fails(new Failure('logged_out', 'login_expired', 'over', ''));
    inbox.refresh();
    await until(inbox, () => inbox.failure?.kind === 'logged_out');
    expect(inbox.approvals).toEqual([]);
  });

  it('holds no line open while the page is hidden', async () => {
    const hidden = jest.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    await inbox.start();
    await until(inbox, () => inbox.loaded);
    inbox.refresh();
    await until(inbox, () => gateway.waits.length > 1);
    expect(gateway.waits.every(wait => wait === 0)).toBe(true);
    hidden.mockRestore();
  });
});
