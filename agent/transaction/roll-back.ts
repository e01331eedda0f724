import type { Clock } from '../../shared/clock.ts';
import type { Evidence } from './evidence.ts';
import { sentenceOf } from './evidence.ts';
import type { Workspace } from './machine.ts';

export type Verdict = Awaited<ReturnType<Workspace['rollBack']>>;

const attempts = 3;
const againMs = 2_000;

/** Brings the old configuration back, now; says what the journal says in the end. It does not listen to any signal. */
export function rollBack(
  workspace: Workspace,
  reason: string,
  { clock, evidence }: { clock: Clock; evidence: Evidence },
): Promise<Verdict> {
  return evidence.step('roll_back', async (log) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const verdict = await workspace.rollBack(reason);
        log.message = `${said[verdict]}; the reason: ${reason}`;
        return verdict;
      } catch (error) {
        // The guard still acts at its deadline, whatever happens here.
        if (attempt >= attempts) {
          log.message = `the way back could not be started: ${sentenceOf(error)}`;
          return 'rollback_failed';
        }
        await clock.sleep(againMs);
      }
    }
  });
}

const said: Record<Verdict, string> = {
  rolled_back: 'the old configuration is back',
  rollback_failed: 'not everything is as it was before',
  confirmed: 'the transaction was confirmed already and stays',
};
