import { unreachable } from '../../shared/unreachable.ts';
import type { DiskFaults, FullAt } from './crashing-database.ts';
import type { DeviceNode } from './device-node.ts';
import type { Operator } from './operator.ts';
import type { Action, Crash, TransactionDeath } from './schedule.ts';
import type { World } from './world.ts';

/** A machine whose disk can be filled, and whose program can be made to die at a commit: the one that runs, or the one that comes next. */
interface Mortal {
  faults: DiskFaults;
}

/** Lets the actions of a schedule happen, and ends all faults when its time is over. */
export class Director {
  readonly #world: World;
  readonly #operator: Operator;
  /** After the end no fault begins any more, also none that was planned. */
  #over = false;

  constructor(world: World, operator: Operator) {
    this.#world = world;
    this.#operator = operator;
  }

  play(actions: { at: number; action: Action }[]): void {
    for (const { at, action } of actions) {
      this.#world.scheduler.after(at, () => this.#perform(action));
    }
  }

  /** Corrects the clocks, allows every link, lifts whatever keeps a device out. What is down comes back by itself. */
  end(): void {
    this.#over = true;
    const { controller, devices, network, trace } = this.#world;
    trace.add('director', 'the faults are over');
    network.calm();
    for (const { wall, faults } of [controller, ...devices]) {
      wall.offsetMs = 0;
      faults.crash = undefined;
      faults.full = undefined;
    }
    for (const { id, managed } of devices) {
      network.partitioned.delete(id);
      managed.deaths.agent = undefined;
      managed.deaths.power = undefined;
    }
  }

  #perform(action: Action): void {
    switch (action.kind) {
      case 'create':
        this.#operator.create(action.request, action.inMs);
        break;
      case 'sync':
        this.#operator.sync(action);
        break;
      case 'cancelTask':
        this.#operator.cancelTask(action.which, action.request);
        break;
      case 'cancelRun':
        this.#operator.cancelRun(action.which, action.request);
        break;
      default:
        this.#world.trace.add('director', JSON.stringify(action));
        this.#harm(action);
    }
  }

  #harm(action: Exclude<Action, { kind: 'create' | 'sync' | 'cancelTask' | 'cancelRun' }>): void {
    const { controller, ledger, network, scheduler } = this.#world;
    switch (action.kind) {
      case 'cut':
        if (action.frames > 0) {
          network.cutAtFrame(this.#device(action.device).id, action.frames, action.cut);
        } else network.cutAll(this.#device(action.device).id, action.cut);
        break;
      case 'flap':
        this.#flap(this.#device(action.device).id, action.helloLateMs);
        break;
      case 'stall':
        for (const connection of this.#connections(action.device)) {
          connection.stall(action.direction, action.ms);
        }
        break;
      case 'partition':
        this.#partition(this.#device(action.device), action.ms);
        break;
      case 'crashController':
        this.#crash(action.crash, controller, (downMs) => this.#crashController(downMs));
        break;
      case 'crashAgent': {
        const device = this.#device(action.device);
        this.#crash(action.crash, device, (downMs) => device.crashAgent(downMs));
        break;
      }
      case 'powerCut': {
        const device = this.#device(action.device);
        this.#crash(action.crash, device, (downMs) => device.goDown(downMs));
        break;
      }
      case 'dieInTransaction':
        this.#dieInTransaction(this.#device(action.device), action.who, action.death);
        break;
      case 'turnControllerClock':
        ledger.controllerClockTurned = true;
        this.#turn(controller, action);
        break;
      case 'turnDeviceClock':
        this.#turn(this.#device(action.device), action);
        break;
      case 'disable': {
        const { name } = this.#device(action.device);
        this.#operator.disable(name);
        scheduler.after(action.forMs, () => this.#operator.approve(name));
        break;
      }
      case 'remove':
        // The last device stays, so that there is something to look at.
        if (this.#world.devices.length > 1) this.#operator.remove(this.#device(action.device).name);
        break;
      case 'restore':
        this.#restore(this.#device(action.device), action);
        break;
      case 'wipe':
        this.#device(action.device).wipe(action.downMs);
        break;
      case 'restartController':
        controller.stop(() => this.#controllerStopped(action.downMs));
        break;
      case 'restartAgent':
        this.#device(action.device).restartAgent(action.downMs);
        break;
      case 'fillControllerDisk':
        this.#fill(controller, action);
        break;
      case 'fillDeviceDisk':
        this.#fill(this.#device(action.device), action);
        break;
      default:
        unreachable(action);
    }
  }

  #crash(crash: Crash, node: Mortal, die: (downMs: number) => void): void {
    const { commits, side, downMs, next } = crash;
    if (commits === 0) die(downMs);
    else {
      const crashNow = (): void => {
        die(downMs);
        if (next) this.#crash(next, node, die);
      };
      node.faults.crash = { commits, side, crash: crashNow };
    }
  }

  #dieInTransaction(device: DeviceNode, who: 'agent' | 'power', death: TransactionDeath): void {
    const { steps, side, downMs, next } = death;
    const die = (): void => {
      if (who === 'agent') device.crashAgent(downMs);
      else device.goDown(downMs);
      if (next) this.#dieInTransaction(device, who, next);
    };
    device.managed.deaths[who] = { steps, side, die };
  }

  #crashController(downMs: number): void {
    this.#world.controller.crash();
    this.#controllerStopped(downMs);
  }

  #controllerStopped(downMs: number): void {
    const { controller, devices, network, scheduler } = this.#world;
    for (const { id } of devices) {
      network.cutAll(id, {
        agentLearns: 'in order',
        controllerLearns: 'never',
        upArrive: 0,
        downArrive: 100,
        lateMs: 0,
      });
    }
    scheduler.after(downMs, () => controller.start());
  }

  #fill({ faults }: Mortal, { at, forMs }: { at: FullAt; forMs: number }): void {
    faults.full = at;
    this.#world.scheduler.after(forMs, () => {
      faults.full = undefined;
    });
  }

  #partition(device: DeviceNode, ms: number): void {
    const { network, scheduler } = this.#world;
    network.partitioned.add(device.id);
    network.cutAll(device.id, {
      agentLearns: 'never',
      controllerLearns: 'never',
      upArrive: 0,
      downArrive: 0,
      lateMs: 0,
    });
    scheduler.after(ms, () => network.partitioned.delete(device.id));
  }

  #flap(deviceId: string, helloLateMs: number): void {
    const { network } = this.#world;
    const broken = { agentLearns: 100, controllerLearns: 'never', upArrive: 100, downArrive: 0 } as const;
    network.cutAll(deviceId, { ...broken, lateMs: 0 });
    network.cutAtFrame(deviceId, 1, { ...broken, lateMs: helloLateMs });
  }

  #restore(device: DeviceNode, times: { ageMs: number; downMs: number; approvedAfterMs: number }): void {
    const { scheduler } = this.#world;
    const snapshot = device.snapshot();
    scheduler.after(times.ageMs, () => {
      if (this.#over || !snapshot) return;
      device.restore(snapshot, times.downMs);
      scheduler.after(times.downMs + times.approvedAfterMs, () => this.#operator.approve(device.name));
    });
  }

  #turn(node: { wall: { offsetMs: number } }, { ms, forMs }: { ms: number; forMs: number }): void {
    node.wall.offsetMs += ms;
    this.#world.scheduler.after(forMs, () => {
      if (!this.#over) node.wall.offsetMs -= ms;
    });
  }

  #device(index: number): DeviceNode {
    const device = this.#world.devices[index];
    if (!device) throw new Error(`there is no device ${index}`);
    return device;
  }

  #connections(device: number) {
    return this.#world.network.open(this.#device(device).id);
  }
}
