import type { z } from 'zod';
import type { ProbeAttempt, StepCommand, SyncStep } from '../../shared/task-types/sync.ts';
import type { TransactionContext } from './transaction-parts.ts';

export type StepName = SyncStep['step'];
type CommandEvidence = z.output<typeof StepCommand>;

/** What one step tells while it works. */
export interface StepLog {
  /** One sentence about how it came out. */
  message: string;
  commands(commands: CommandEvidence[]): void;
}

const maxMessage = 1024;
const maxSteps = 40;
const maxCommands = 200;
const maxProbes = 100;

/** Progress in percent when a step begins. */
const progressOf: Record<StepName, number> = {
  admit: 0,
  baseline: 2,
  fetch: 5,
  verify: 8,
  drift: 10,
  render: 15,
  validate: 35,
  preflight: 45,
  ask: 50,
  snapshot: 55,
  arm: 60,
  apply: 65,
  check: 75,
  probe: 85,
  confirm: 97,
  roll_back: 99,
};

/** Steps, commands and probes of one transaction, each also a line of the task's log. Bounded: what comes too late is only logged. */
export class Evidence {
  readonly steps: SyncStep[];
  readonly probes: ProbeAttempt[];
  /** The step that threw last. */
  failedStep: StepName | undefined;
  readonly #context: TransactionContext;

  constructor(context: TransactionContext, before: { steps?: SyncStep[]; probes?: ProbeAttempt[] } = {}) {
    this.#context = context;
    this.steps = [...(before.steps ?? [])];
    this.probes = [...(before.probes ?? [])];
  }

  /** Runs a step and writes down how it came out, also when it throws. */
  async step<Value>(name: StepName, work: (log: StepLog) => Promise<Value>): Promise<Value> {
    const { clock, progress } = this.#context;
    const startedMs = clock.monotonic();
    const commands: CommandEvidence[] = [];
    const log: StepLog = {
      message: '',
      commands: (more) => {
        commands.push(...more.slice(0, maxCommands - commands.length));
        for (const command of more) this.#tellCommand(command);
      },
    };
    progress({ percent: progressOf[name], message: name.replace('_', ' ') });
    const end = (ok: boolean): void => {
      const duration_ms = Math.round(clock.monotonic() - startedMs);
      this.#add({ step: name, ok, duration_ms, message: log.message.slice(0, maxMessage), commands });
    };
    try {
      const value = await work(log);
      end(true);
      return value;
    } catch (error) {
      log.message = sentenceOf(error);
      this.failedStep = name;
      end(false);
      throw error;
    }
  }

  probe(attempt: ProbeAttempt): void {
    const { ok, phase, duration_ms: ms, error } = attempt;
    this.say(
      `probe: ${ok ? `answered in ${Math.round(ms)} ms` : `failed at ${phase}: ${error ?? 'no answer'}`}`,
    );
    // The first and the newest tell most.
    if (this.probes.length >= maxProbes) this.probes.splice(maxProbes / 2, 1);
    this.probes.push(error === undefined ? attempt : { ...attempt, error: error.slice(0, 300) });
  }

  say(text: string): void {
    this.#context.output('agent', text);
  }

  #add(step: SyncStep): void {
    this.say(`${step.step}: ${step.ok ? 'ok' : 'failed'}${step.message === '' ? '' : `: ${step.message}`}`);
    if (this.steps.length < maxSteps) this.steps.push(step);
  }

  #tellCommand({ unit, check, argv, exit_code, duration_ms, ok, output }: CommandEvidence): void {
    const how = ok ? 'ok' : `failed (${exit_code === null ? 'no exit code' : `exit code ${exit_code}`})`;
    this.say(`${unit}: ${check ?? argv.join(' ')}: ${how} after ${Math.round(duration_ms)} ms`);
    if (!ok && output.trim() !== '') this.say(output.trimEnd());
  }
}

export const sentenceOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
