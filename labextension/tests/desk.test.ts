import { Failure } from '../src/api/failure';
import { Desk } from '../src/review/desk';
import { Inbox } from '../src/review/inbox';
import { approval, Gateway, until } from './fixtures';

describe('the desk', () => {
  let gateway: Gateway;
  let inbox: Inbox;
  let desk: Desk;

  async function open(...list: Parameters<typeof approval>): Promise<void> {
    await lists(approval(...list));
    await desk.select('p_1');
  }

  async function lists(...list: ReturnType<typeof approval>[]): Promise<void> {
    gateway = new Gateway(list);
    inbox = new Inbox(gateway, document);
    desk = new Desk(inbox);
    await inbox.start();
    await until(inbox, () => inbox.loaded);
  }

  afterEach(() => {
    inbox.dispose();
  });

  it('sends the digest of the detail on display', async () => {
    await open({ digest: 'a'.repeat(64) });
    desk.begin('approving');
    await desk.confirm('approving', ' fine ');
    expect(gateway.votes).toEqual([
      { id: 'p_1', request: { approve: true, reason: 'fine', digest: 'a'.repeat(64) } }
    ]);
    expect(desk.notice?.kind).toBe('decided');
  });

  it('sends nothing without the question before', async () => {
    await open();
    await desk.confirm('approving', '');
    expect(gateway.votes).toEqual([]);
  });

  it('sends nothing for another question than the one that was answered', async () => {
    await open();
    desk.begin('denying');
    desk.begin('approving');
    await desk.confirm('approving', '');
    expect(gateway.votes).toEqual([]);
    expect(desk.step).toBe('denying');
  });

  it('falls back to reading when the request changes under the question', async () => {
    await open();
    desk.begin('approving');
    gateway.becomes([approval({ digest: 'e'.repeat(64), command: 'DELETE FROM t' })]);
    await until(desk, () => desk.detail?.command === 'DELETE FROM t');
    expect([desk.step, desk.notice?.kind]).toEqual(['reading', 'changed']);
    await desk.confirm('approving', '');
    expect(gateway.votes).toEqual([]);
  });

  it('closes a request that somebody else decided', async () => {
    await open();
    gateway.becomes([approval({ state: 'denied' })]);
    await until(desk, () => desk.selected === '');
    expect(desk.notice?.kind).toBe('closed');
  });

  it('never asks to confirm an own request', async () => {
    await open({ mine: true });
    desk.begin('approving');
    expect([desk.canDecide, desk.step]).toEqual([false, 'reading']);
  });

  it('keeps the question and shows why the gateway refused', async () => {
    await open();
    desk.begin('denying');
    gateway.fails(new Failure('refused', 'not_a_reviewer', 'Not in this role.', ''));
    await desk.confirm('denying', 'no');
    expect([desk.step, desk.failure?.code]).toEqual(['denying', 'not_a_reviewer']);
  });

  it('walks through what is open and stops at the ends', async () => {
    await lists(
      approval({ id: 'p_1', opened_at: '2026-01-01T12:00:00Z' }),
      approval({ id: 'p_2', opened_at: '2026-01-01T12:01:00Z' }),
      approval({ id: 'p_3', state: 'executed' })
    );
    const seen = [];
    for (const by of [1, 1, 1, -1, -1]) {
      await desk.move(by);
      seen.push(desk.selected);
    }
    expect(seen).toEqual(['p_1', 'p_2', 'p_2', 'p_1', 'p_1']);
  });

  it('lays out the next request after a decision', async () => {
    await lists(
      approval({ id: 'p_1', opened_at: '2026-01-01T12:00:00Z' }),
      approval({ id: 'p_2', opened_at: '2026-01-01T12:01:00Z' })
    );
    await desk.select('p_1');
    desk.begin('denying');
    await desk.confirm('denying', 'no');
    expect([desk.selected, desk.step]).toEqual(['p_2', 'reading']);
  });

  it('takes in votes of others without touching what is on display', async () => {
    await open();
    const vote = { name: 'admin', approve: true, reason: '', at: '2026-01-01T12:00:00Z' };
    gateway.becomes([approval({ votes: [vote], command: 'something else' })]);
    await until(desk, () => desk.detail?.votes.length === 1);
    expect(desk.detail?.command).toBe(approval().command);
  });
});
