import type { FactsReport, Hello } from '../../shared/protocol/hello.ts';
import type { Report } from '../../shared/protocol/report.ts';
import type { TaskRefused } from '../../shared/protocol/task.ts';
import type { OnlineLink } from '../devices/online.ts';
import type { DeviceTask } from '../store/tasks.ts';
import { WakeUp } from './wake-up.ts';

/** What one link delivered since the last commit. */
export interface Share {
  link: OnlineLink;
  hello: Hello | undefined;
  reports: Report[];
  /** Letters in the frames they came in. */
  reportsLength: number;
  refusals: TaskRefused[];
  facts: FactsReport | undefined;
  /** The link closed. */
  left: boolean;
}

/** More than this waiting from one link means that it does not wait for acknowledgements or answers: it is closed. */
const maxWaitingRows = 8_192;
const maxWaitingLength = 4 * 1024 * 1024;
const maxWaitingRefusals = 1_024;
/** Bounds of one commit, so that none takes long. */
const maxShares = 1_000;
const maxRows = 20_000;

/** Everything links deliver waits here for the next commit, grouped by link, oldest link first. */
export class Inbox {
  readonly #shares = new Map<OnlineLink, Share>();
  #cancels: DeviceTask[] = [];
  #helloCount = 0;
  readonly #wakeUp = new WakeUp();

  /** Settles when there is something to take, or the signal is aborted. */
  async filled(signal: AbortSignal): Promise<void> {
    while (this.#shares.size === 0 && this.#cancels.length === 0 && !signal.aborted)
      await this.#wakeUp.wait(signal);
  }

  /** A link waits for its welcome. */
  get hasHello(): boolean {
    return this.#helloCount > 0;
  }

  take(): Share[] {
    const taken: Share[] = [];
    let rows = 0;
    for (const share of this.#shares.values()) {
      if (taken.length >= maxShares || rows >= maxRows) break;
      taken.push(share);
      rows += share.reports.length;
    }
    for (const share of taken) {
      this.#shares.delete(share.link);
      if (share.hello) this.#helloCount -= 1;
    }
    return taken;
  }

  takeCancels(): DeviceTask[] {
    const taken = this.#cancels;
    this.#cancels = [];
    return taken;
  }

  /** Cancel requests pass through here, so that each follows whatever the commit before it says to the device. */
  cancels(tasks: DeviceTask[]): void {
    for (const task of tasks) this.#cancels.push(task);
    this.#wakeUp.call();
  }

  hello(link: OnlineLink, hello: Hello): void {
    this.#share(link).hello = hello;
    this.#helloCount += 1;
    this.#wakeUp.call();
  }

  /** False when too much waits already. */
  reports(link: OnlineLink, reports: Report[], length: number): boolean {
    const share = this.#share(link);
    if (share.reports.length + reports.length > maxWaitingRows) return false;
    if (share.reportsLength + length > maxWaitingLength) return false;
    share.reportsLength += length;
    if (share.reports.length === 0) share.reports = reports;
    else for (const report of reports) share.reports.push(report);
    this.#wakeUp.call();
    return true;
  }

  /** False when too much waits already. */
  refusal(link: OnlineLink, refusal: TaskRefused): boolean {
    const { refusals } = this.#share(link);
    if (refusals.length >= maxWaitingRefusals) return false;
    refusals.push(refusal);
    this.#wakeUp.call();
    return true;
  }

  facts(link: OnlineLink, facts: FactsReport): void {
    this.#share(link).facts = facts;
    this.#wakeUp.call();
  }

  left(link: OnlineLink): void {
    this.#share(link).left = true;
    this.#wakeUp.call();
  }

  #share(link: OnlineLink): Share {
    let share = this.#shares.get(link);
    if (share === undefined) {
      share = {
        link,
        hello: undefined,
        reports: [],
        reportsLength: 0,
        refusals: [],
        facts: undefined,
        left: false,
      };
      this.#shares.set(link, share);
    }
    return share;
  }
}
