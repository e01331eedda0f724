import type { SyncParameters } from '../../shared/task-types/sync.ts';
import type { Candidate } from './candidate.ts';
import { statesNow } from './live-files.ts';
import { rejected } from './sync-error.ts';
import type { TransactionWork } from './transaction-work.ts';

/** A prompt has at most so many characters. */
const maxPrompt = 1024;
const options = ['yes', 'no'];

/**
 * Asks a person whether the changes shall be made, before anything is touched. Rejects unless the answer is yes, also when nobody answers
 * in time, and when the device was changed meanwhile: what was proved is not what would be replaced then.
 */
export async function askFirst(candidate: Candidate, work: TransactionWork): Promise<void> {
  const { parameters, parts, context, evidence, findings } = work;
  if (!parameters.ask || candidate.touched.length === 0) return;
  await evidence.step('ask', async (log) => {
    const answer = await context.ask({ prompt: promptOf(parameters, findings), options, safe: null });
    if (answer !== 'yes') throw rejected('declined', 'It was asked before applying, and the answer was no');
    log.message = 'the answer was yes';
    const now = await statesNow(candidate.live.units, parts);
    const changed = Object.keys(now).filter((unit) => now[unit] !== candidate.live.states[unit]);
    if (changed.length === 0) return;
    throw rejected(
      'rejected_drift',
      `${changed.join(', ')}: the device was changed while the answer was awaited`,
    );
  });
}

function promptOf(
  { generation }: SyncParameters,
  { changes, changes_total: total }: TransactionWork['findings'],
): string {
  const begin = `Apply generation ${generation}, which changes ${total === 1 ? '1 file' : `${total} files`}? `;
  let told = begin;
  for (const [index, { change, path }] of changes.entries()) {
    const next = `${index === 0 ? '' : '; '}${change} ${path}`;
    const rest = ` and ${total - index} more`;
    if (told.length + next.length + rest.length > maxPrompt) return `${told}${rest}`.slice(0, maxPrompt);
    told += next;
  }
  return told;
}
