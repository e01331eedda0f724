import type { Clock } from '../../../shared/clock.ts';
import type { CommandRecord, Scratch } from '../machine.ts';
import type { StoredTransaction } from './memory-disk.ts';
import { type MemoryServices, misbehaviours } from './memory-services.ts';

const maxRan = 200;

type Staged = StoredTransaction['staged'];

/** Commands of the profile in memory: `UNIT VERB`. Everything else succeeds and says nothing. */
export class MemoryCommands {
  /** `UNIT VERB` of commands that fail on the host. */
  readonly failing = new Set<string>();
  /** Programs that the machine does not have. */
  readonly missing = new Set<string>();
  /** `PLACE UNIT VERB` of what ran last. */
  readonly ran: string[] = [];
  readonly #services: MemoryServices;
  readonly #clock: Clock;
  readonly #scratches = new Map<string, string[]>();

  constructor(services: MemoryServices, clock: Clock) {
    this.#services = services;
    this.#clock = clock;
  }

  onHost(argv: string[]): CommandRecord {
    const [unit = '', verb = ''] = argv;
    this.#note('host', argv);
    if (verb === 'reload') this.#services.reload(unit);
    if (this.failing.has(`${unit} ${verb}`)) return record(argv, `${unit}: ${verb} failed`);
    if (verb === 'show') return record(argv, undefined, this.#services.running(unit));
    return record(argv, this.#complaint(unit, verb));
  }

  onCandidate(argv: string[], staged: Staged, scratch: string | undefined): CommandRecord {
    const [unit = '', verb = ''] = argv;
    this.#note(scratch === undefined ? 'candidate' : 'scratch', argv);
    const text = this.#services.filesOf(unit, this.#viewWith(staged));
    if (verb === 'validate') return record(argv, lineWith(text, misbehaviours.invalid));
    if (verb === 'start') return record(argv, lineWith(text, misbehaviours.breaksAtStart));
    if (verb === 'load' && scratch !== undefined) this.#scratches.get(scratch)?.push(text);
    return record(argv, undefined);
  }

  openScratch(name: string): Scratch {
    const loaded: string[] = [];
    this.#scratches.set(name, loaded);
    return {
      name,
      connect: async (_timeoutMs, signal) => {
        signal.throwIfAborted();
        const startedMs = this.#clock.monotonic();
        const blocked = loaded.some((text) => text.includes(misbehaviours.locksOutVisibly));
        const ms = this.#clock.monotonic() - startedMs;
        return blocked ? { ok: false, ms, error: 'the connection timed out' } : { ok: true, ms };
      },
      [Symbol.asyncDispose]: async () => {
        this.#scratches.delete(name);
      },
    };
  }

  #note(place: string, argv: string[]): void {
    this.ran.push(`${place} ${argv.join(' ')}`);
    if (this.ran.length > maxRan) this.ran.shift();
  }

  #complaint(unit: string, verb: string): string | undefined {
    const services = this.#services;
    if (verb === 'reload' && services.misbehaves(unit, 'reloadFails')) return `${unit}: half of it was read`;
    if (verb !== 'works') return undefined;
    if (!services.isCurrent(unit)) return `${unit} works with other files than those on the disk`;
    return services.misbehaves(unit, 'breaks') ? `${unit} does not answer` : undefined;
  }

  #viewWith(staged: Staged): [string, string][] {
    const view = new Map(this.#services.files.texts());
    for (const [path, wanted] of staged) {
      if (wanted === 'absent') view.delete(path);
      else view.set(path, wanted.text);
    }
    return [...view].sort(([left], [right]) => (left < right ? -1 : 1));
  }
}

const lineWith = (text: string, word: string): string | undefined => {
  const line = text.split('\n').find((one) => one.includes(word));
  return line === undefined ? undefined : `error near this line: ${line}`;
};

const record = (argv: string[], complaint: string | undefined, stdout = ''): CommandRecord => ({
  argv,
  exitCode: complaint === undefined ? 0 : 1,
  timedOut: false,
  output: complaint ?? stdout,
  stdout,
  durationMs: 1,
});
