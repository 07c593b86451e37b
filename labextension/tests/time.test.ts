import { nullTranslator } from '@jupyterlab/translation';

import { ago, countdown, duration, secondsLeft } from '../src/text/time';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const trans = nullTranslator.load('jupyter_zt');

describe('time', () => {
  it('counts down in whole seconds and stops at zero', () => {
    expect(secondsLeft('2026-01-01T12:00:01.200Z', NOW)).toBe(2);
    expect(secondsLeft('2026-01-01T11:00:00Z', NOW)).toBe(0);
  });

  it('takes an unreadable end for no time left', () => {
    expect(secondsLeft('soon', NOW)).toBe(0);
  });

  it('reads like a clock', () => {
    expect([5, 65, 3605].map(countdown)).toEqual(['0:05', '1:05', '1:00:05']);
  });

  it('says how long ago', () => {
    expect(ago('2026-01-01T11:59:40Z', NOW, trans)).toBe('just now');
    expect(ago('2026-01-01T11:45:00Z', NOW, trans)).toBe('15 min ago');
    expect(ago('2026-01-01T09:00:00Z', NOW, trans)).toBe('3 h ago');
  });

  it('gives durations a unit', () => {
    expect([0.0082, 1.26].map(duration)).toEqual(['8 ms', '1.3 s']);
  });
});
