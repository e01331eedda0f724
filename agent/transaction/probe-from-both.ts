import type { Clock } from '../../shared/clock.ts';
import type { ProbeAttempt } from '../../shared/task-types/sync.ts';
import type { TransactionProbe } from './transaction-parts.ts';

/** A process that hangs must not hold up a transaction whose guard is at work. */
const graceMs = 1_000;

/**
 * Good only if both get through: this process, and the agent's, which runs as another user. The agent's word is taken: by a wrong one it
 * would lose nobody but itself.
 */
export function probeFromBoth(
  own: TransactionProbe,
  agentProbe: (transaction: string, timeoutMs: number) => Promise<ProbeAttempt>,
  clock: Clock,
): TransactionProbe {
  async function fromAgent(
    transaction: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<ProbeAttempt> {
    const at = clock.now();
    const answered = new AbortController();
    const late = clock.sleep(timeoutMs + graceMs, AbortSignal.any([signal, answered.signal])).then(() => {
      throw new Error('it does not answer');
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([agentProbe(transaction, timeoutMs), late]);
    } catch (error) {
      signal.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      return { at, ok: false, phase: 'dns', duration_ms: Math.round(clock.now() - at), error: why };
    } finally {
      answered.abort(new Error('answered'));
    }
  }

  return {
    address: own.address,
    async attempt(transaction, timeoutMs, signal) {
      const [mine, agents] = await Promise.all([
        own.attempt(transaction, timeoutMs, signal),
        fromAgent(transaction, timeoutMs, signal),
      ]);
      if (!mine.ok || agents.ok) return mine;
      return {
        ...agents,
        error: `from the agent's own process: ${agents.error ?? 'no answer'}`.slice(0, 300),
      };
    },
  };
}
