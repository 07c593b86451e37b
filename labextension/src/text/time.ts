/** Time as people read it. */
import type { TranslationBundle } from '@jupyterlab/translation';

/** From here on a countdown asks for haste. */
export const URGENT_SECONDS = 60;

/**
 * Whole seconds from `nowMs` until an instant, never below zero.
 *
 * @param until - ISO 8601. An unreadable one counts as over: an unknown end is no time left.
 */
export function secondsLeft(until: string, nowMs: number): number {
  const end = Date.parse(until);
  return Number.isNaN(end) ? 0 : Math.max(0, Math.ceil((end - nowMs) / 1000));
}

/** A countdown: `4:05`, or `1:04:05` from an hour on. */
export function countdown(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = two(seconds % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** How long ago an instant was: `just now`, `3 min ago`, `2 h ago`. */
export function ago(since: string, nowMs: number, trans: TranslationBundle): string {
  const minutes = Math.floor((nowMs - Date.parse(since)) / 60_000);
  if (Number.isNaN(minutes)) {
    return '';
  }
  if (minutes < 1) {
    return trans.__('just now');
  }
  return minutes < 60
    ? trans.__('%1 min ago', minutes)
    : trans.__('%1 h ago', Math.floor(minutes / 60));
}

/** A duration of a statement: `8 ms`, `1.3 s`. */
export function duration(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}
