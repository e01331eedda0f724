import type { OrganizationRow } from '../../controller/store/access.ts';
import type { RunRequest } from '../../shared/api/tasks.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import { isFinal } from '../../shared/task-state.ts';
import { organizationId } from './controller-node.ts';
import { bornAt, type World } from './world.ts';

const actor = { name: 'operator@example.net', organizationId, ipAddress: null, requestId: null };
const organization: OrganizationRow = {
  id: organizationId,
  name: 'default',
  displayName: 'Default',
  createdAt: bornAt,
};

/** A person at the API: asks, and gets an answer, an error, or nothing when the controller dies meanwhile. */
export class Operator {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  create(request: RunRequest, inMs?: number): void {
    // People mean the true time, whatever the controller's clock says.
    const scheduledAt =
      inMs === undefined
        ? {}
        : { scheduled_at: new Date(bornAt + this.#world.scheduler.now + inMs).toISOString() };
    this.#ask(`create ${request.type}`, (core) =>
      core.submit({
        actor,
        organization,
        request: { ...request, ...scheduledAt },
        trigger: inMs === undefined ? 'manual' : 'at',
      }),
    );
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

  disable(name: string): void {
    this.#ask(`disable ${name}`, (core) => core.devices.disable(actor, name));
  }

  remove(name: string): void {
    this.#ask(`remove ${name}`, (core) => core.devices.remove(actor, name));
  }

  approve(name: string): void {
    this.#ask(`approve ${name}`, (core) => core.devices.approve(actor, name));
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
