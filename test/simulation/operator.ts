import type { OrganizationRow } from '../../controller/store/access.ts';
import type { RunRequest } from '../../shared/api/tasks.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import { isFinal } from '../../shared/task-state.ts';
import type { Submission } from '../../controller/tasks/submit.ts';
import { accountId, organizationId } from './controller-node.ts';
import type { Action } from './schedule.ts';
import { bornAt, type World } from './world.ts';

const actor = { name: 'operator@example.net', organizationId, ipAddress: null, requestId: null };
const organization: OrganizationRow = {
  id: organizationId,
  name: 'default',
  displayName: 'Default',
  createdAt: bornAt,
};

/** After so long without an answer a request is sent again. */
const answerMs = 1_000;

/** A person at the API: asks, and gets an answer, an error, or nothing when the controller dies meanwhile. */
export class Operator {
  readonly #world: World;
  #requests = 0;
  #waiting = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Requests that have had no answer yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Asks until there is an answer, under one idempotency key: whatever dies meanwhile, the tasks are made once. */
  create(request: RunRequest, inMs?: number): void {
    // People mean the true time, whatever the controller's clock says.
    const { now } = this.#world.scheduler;
    const scheduledAt =
      inMs === undefined ? {} : { scheduled_at: new Date(bornAt + now + inMs).toISOString() };
    this.#requests += 1;
    this.#waiting += 1;
    const key = `request ${this.#requests}`;
    this.#askUntilAnswered({
      actor,
      organization,
      request: { ...request, ...scheduledAt },
      trigger: inMs === undefined ? 'manual' : 'at',
      idempotency: { accountId, key, requestDigest: key, status: 202 },
    });
  }

  /** Asks for a configuration, as whoever renders it would. */
  sync({ request, sync, tag, inMs }: Extract<Action, { kind: 'sync' }>): void {
    const device = this.#world.devices[sync.device];
    if (!device) throw new Error(`there is no device ${sync.device}`);
    this.create({ ...request, payload: this.#world.orders.parameters(sync, device.id, tag) }, inMs);
  }

  /** `which` in [0, 1) picks among the tasks that have not ended. */
  cancelTask(which: number, request: boolean): void {
    const open = [...this.#world.ledger.tasks.values()].filter(({ state }) => !isFinal(state));
    const task = open[Math.floor(which * open.length)];
    if (!task) return;
    this.#ask(`cancel ${task.code}`, (core) => core.cancelTask(actor, task.code, { request }));
  }

  cancelRun(which: number, request: boolean): void {
    const runs = this.#world.raw
      .prepare<[], { id: string }>('SELECT id FROM runs ORDER BY created_at, id')
      .all();
    const run = runs[Math.floor(which * runs.length)];
    if (!run) return;
    this.#ask(`cancel run ${run.id}`, (core) => core.cancelRun(actor, run.id, { request }));
  }

  /** Looks at what is asked from time to time; answers every second question, and leaves the others to their deadlines. */
  answerQuestions(): void {
    const { raw, scheduler } = this.#world;
    const asked = raw
      .prepare<[], { id: string; prompt: string }>(
        "SELECT id, prompt FROM questions WHERE state = 'pending' ORDER BY asked_at, id",
      )
      .all();
    for (const { id, prompt } of asked) {
      if (Number.parseInt(prompt, 10) % 2 !== 0) continue;
      this.#ask(`answer ${prompt}`, (core) => core.questions.answer(actor, id, 'yes'));
    }
    scheduler.after(answerMs, () => this.answerQuestions());
  }

  disable(name: string): void {
    this.#ask(`disable ${name}`, (core) => core.devices.disable(actor, name));
  }

  remove(name: string): void {
    this.#ask(`remove ${name}`, (core) => core.devices.remove(actor, name));
  }

  approve(name: string): void {
    this.#ask(`approve ${name}`, (core) => core.devices.approve(actor, name));
  }

  #askUntilAnswered(submission: Submission & { idempotency: { key: string } }): void {
    const { ledger, scheduler, controller } = this.#world;
    const { key } = submission.idempotency;
    let isAnswered = false;
    this.#ask(`${key}: create ${submission.request.type}`, async (core) => {
      const { process } = controller;
      try {
        const { answer } = await core.submit(submission);
        if (!process?.alive) return;
        ledger.promised.push({ request: key, codes: answer.tasks.map(({ task }) => task) });
      } catch (error) {
        if (isDiskFull(error) || !process?.alive) return;
        isAnswered = true;
        throw error;
      }
      isAnswered = true;
    });
    scheduler.after(answerMs, () => {
      if (isAnswered) this.#waiting -= 1;
      else this.#askUntilAnswered(submission);
    });
  }

  #ask(what: string, question: (core: NonNullable<World['controller']['core']>) => Promise<unknown>): void {
    const { controller, trace, ledger } = this.#world;
    const { core, process } = controller;
    if (!core) {
      trace.add('operator', `${what}: the controller is down`);
      return;
    }
    trace.add('operator', what);
    question(core).then(
      () => {},
      (error: unknown) => {
        if (!process?.alive) return;
        trace.add('operator', `${what}: ${String(error)}`);
        if (!isForeseen(error))
          ledger.bugs.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
      },
    );
  }
}

const isForeseen = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'AppError' || isDiskFull(error));
