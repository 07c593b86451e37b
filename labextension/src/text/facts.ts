/** The facts of an action, in the order in which a reviewer asks for them. */
import type { TranslationBundle } from '@jupyterlab/translation';

/** One line of the summary. */
export interface FactLine {
  label: string;
  values: string[];
}

/**
 * What a command changes, reads and calls. Lines without a value are left out.
 *
 * @param facts - As the analyser gave them; anything of another shape is left out.
 */
export function factLines(
  facts: Readonly<Record<string, unknown>>,
  trans: TranslationBundle
): FactLine[] {
  return [
    { label: trans.__('Changes'), values: strings(facts.relations_written) },
    { label: trans.__('Sets'), values: strings(facts.columns_written) },
    { label: trans.__('Reads'), values: strings(facts.relations_read) },
    { label: trans.__('Columns'), values: strings(facts.columns_read) },
    { label: trans.__('Calls'), values: strings(facts.functions) }
  ].filter(line => line.values.length > 0);
}

/** What the command does, in capitals as SQL is read: `UPDATE`. "" when unknown. */
export function verbOf(facts: Readonly<Record<string, unknown>>): string {
  const verb = facts.verb;
  return typeof verb === 'string' ? verb.replaceAll('_', ' ').toUpperCase() : '';
}

/** Risk classes, in words. */
export function risksOf(facts: Readonly<Record<string, unknown>>): string[] {
  return strings(facts.risks).map(risk => risk.replaceAll('_', ' '));
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : [];
}
