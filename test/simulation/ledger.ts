import type { TaskState } from '../../shared/task-state.ts';
import type { TaskType } from '../../shared/task-types/task-type.ts';
import type { JournalState } from '../../shared/transaction.ts';

/** A move of a task that the controller committed, so that anybody could see it. */
export interface ShownMove {
  from: TaskState | null;
  to: TaskState;
  /** True time, milliseconds. */
  at: number;
  /** Place among everything in the ledger. */
  order: number;
}

/** One call of a task's handler on a device: the task was executed. */
export interface Execution {
  deviceId: string;
  type: TaskType;
  /** Undefined when the device executed something it does not hold. */
  code: string | undefined;
  tag: number | undefined;
  /** What the controller showed at that moment. */
  shownState: TaskState | undefined;
  /** Agent process and boot that ran it. */
  agentLife: number;
  bootId: string;
  startedAt: number;
  order: number;
  /** How the handler ended; undefined when its process died before. */
  end?: { how: 'returned' | string; at: number };
  /** Commands given to the machine (`reboot`, …) and exit codes of processes, as the machine saw them. */
  verbs: string[];
  exits: (number | null)[];
}

/** What one machine lived through, in order. */
export interface MachineEvent {
  deviceId: string;
  what: 'agent started' | 'agent stops' | 'agent died' | 'booted' | 'went down' | 'wiped' | 'restored';
  bootId: string;
  at: number;
  order: number;
}

/** A task as it was seen from outside. */
export interface SeenTask {
  id: string;
  code: string;
  deviceId: string;
  runId: string | null;
  type: TaskType;
  tag: number | undefined;
  idempotent: boolean;
  /** Lines a script prints. */
  lines: number;
  state: TaskState;
  moves: ShownMove[];
  deleted: boolean;
}

/** A record in the journal of a transaction on a device. */
export interface TransactionEvent {
  deviceId: string;
  transaction: string;
  state: JournalState;
  at: number;
  order: number;
}

/** Time in which a device, by what it was configured to, let no new connection to the controller through. */
interface LockOut {
  deviceId: string;
  from: number;
  to: number | undefined;
}

/** Everything that really happened in one run, written down by the simulated world and never by the code under test. */
export class Ledger {
  readonly tasks = new Map<string, SeenTask>();
  readonly executions: Execution[] = [];
  readonly machines: MachineEvent[] = [];
  /** Task codes of requests that were answered: from then on they are promised. */
  readonly promised: { request: string; codes: string[] }[] = [];
  /** Where the controller's clock was wrong at some time. */
  controllerClockTurned = false;
  /** What must never happen and was noticed at once. */
  readonly bugs: string[] = [];
  readonly transactions: TransactionEvent[] = [];
  readonly lockOuts: LockOut[] = [];
  /** Devices whose files were neither the old ones nor the new ones when they had to be. */
  readonly mixtures: string[] = [];
  #order = 0;

  next(): number {
    this.#order += 1;
    return this.#order;
  }

  record(event: Omit<TransactionEvent, 'order'>): void {
    this.transactions.push({ ...event, order: this.next() });
  }

  /** Records of the transactions that a task has led to. */
  transactionsOf({ deviceId, code }: Pick<SeenTask, 'deviceId' | 'code'>): TransactionEvent[] {
    return this.transactions.filter(
      (event) => event.deviceId === deviceId && event.transaction.slice(0, code.length) === code,
    );
  }

  /** Says whether that is news. */
  noteLockOut(deviceId: string, isLockedOut: boolean, at: number): boolean {
    const open = this.lockOuts.find((one) => one.deviceId === deviceId && one.to === undefined);
    if (isLockedOut === (open !== undefined)) return false;
    if (open) open.to = at;
    else this.lockOuts.push({ deviceId, from: at, to: undefined });
    return true;
  }

  byCode(deviceId: string, code: string | undefined): SeenTask | undefined {
    return [...this.tasks.values()].find((task) => task.code === code && task.deviceId === deviceId);
  }

  executionsOf(task: SeenTask): Execution[] {
    return this.executions.filter(({ deviceId, code }) => deviceId === task.deviceId && code === task.code);
  }

  machineEvents(deviceId: string): MachineEvent[] {
    return this.machines.filter((event) => event.deviceId === deviceId);
  }
}
