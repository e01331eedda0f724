import { randomUUID } from 'node:crypto';
import type { CommandPlace, CommandRecord, TransactionMachine } from '../../agent/transaction/machine.ts';

export interface ScriptedAnswer {
  exitCode?: number | null;
  stdout?: string;
  /** stdout and stderr together; otherwise what is on stdout. */
  output?: string;
  timedOut?: boolean;
}

const notHere = () => Promise.reject(new Error('not in this test'));

/** A machine of which only the commands answer, as the test says. */
export class ScriptedMachine implements TransactionMachine {
  readonly ran: { place: CommandPlace; argv: string[] }[] = [];
  readonly missing = new Set<string>();
  readonly #answer: (argv: string[], place: CommandPlace) => ScriptedAnswer;
  readonly #bootId = randomUUID();

  constructor(answer: (argv: string[], place: CommandPlace) => ScriptedAnswer = () => ({})) {
    this.#answer = answer;
  }

  async run({ argv }: { argv: string[] }, place: CommandPlace): Promise<CommandRecord> {
    this.ran.push({ place, argv });
    const { exitCode = 0, stdout = '', output = stdout, timedOut = false } = this.#answer(argv, place);
    return { argv, exitCode, timedOut, output, stdout, durationMs: 1 };
  }

  hasProgram = async (name: string): Promise<boolean> => !this.missing.has(name);
  bootId = async (): Promise<string> => this.#bootId;
  uptimeMs = (): number => 0;
  pending = async (): Promise<undefined> => undefined;
  find = async (): Promise<undefined> => undefined;
  confirmed = async (): Promise<undefined> => undefined;
  quarantined = async (): Promise<string[]> => [];
  begin = notHere;
  setQuarantined = notHere;
  list = notHere;
  realPath = notHere;
  openScratch = notHere;
  async *read(): AsyncGenerator<Uint8Array> {
    await notHere();
  }
}
