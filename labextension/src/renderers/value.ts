/** Reads what a kernel sent. A kernel is not trusted: each field is checked, nothing is assumed. */

/** A plain object, or an empty one. */
export function objectIn(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

/** A list, or an empty one. */
export function listIn(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text; numbers and booleans as text; anything else "". */
export function textIn(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : '';
}

/** Texts of a list, without what is none. */
export function textsIn(value: unknown): string[] {
  return listIn(value)
    .map(textIn)
    .filter(text => text !== '');
}

/** A finite number, or null. */
export function numberIn(value: unknown): number | null {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}
