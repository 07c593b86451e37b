import { failureFrom, failureOf } from '../src/api/failure';

describe('failures', () => {
  it.each([
    [401, null, 'logged_out'],
    [403, { code: 'login_expired', message: 'm', hint: 'h' }, 'logged_out'],
    [503, { code: 'log_unavailable', message: 'm', hint: '' }, 'unreachable'],
    [502, null, 'unreachable'],
    [404, null, 'unreachable'],
    [404, { code: 'unknown_approval', message: 'm', hint: '' }, 'refused'],
    [403, { code: 'own_action', message: 'm', hint: '' }, 'refused'],
    [500, '<html>', 'refused']
  ])('reads %s %j as %s', (status, body, kind) => {
    expect(failureFrom(status, body).kind).toBe(kind);
  });

  it('takes a broken line for an absent gateway', () => {
    expect(failureOf(new TypeError('network')).kind).toBe('unreachable');
  });
});
