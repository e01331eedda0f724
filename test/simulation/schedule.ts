import type { RunRequest } from '../../shared/api/tasks.ts';
import type { Cut, Learns } from './connection.ts';
import type { CommitSide, FullAt } from './crashing-database.ts';
import type { SeededRandom } from './random.ts';
import { drawRequest, drawSyncRequest } from './requests.ts';
import { type DrawnSync, drawSync } from './sync-orders.ts';

/**
 * How a program dies: now (`commits` 0), or before or after its n-th commit from now; how long until the next one starts; and how the
 * next one dies, counted from its start.
 */
export interface Crash {
  commits: number;
  side: CommitSide;
  downMs: number;
  next: Crash | undefined;
}

/** One thing that somebody does or that goes wrong. `which` in [0, 1) picks among what there is at that time. */
export type Action =
  | { kind: 'create'; request: RunRequest; inMs: number | undefined }
  /** `tag` is the generation. */
  | { kind: 'sync'; request: RunRequest; sync: DrawnSync; tag: number; inMs: number | undefined }
  /** The agent or the power goes away at the n-th thing that a transaction does from now. */
  | { kind: 'dieInTransaction'; device: number; who: 'agent' | 'power'; death: TransactionDeath }
  | { kind: 'cancelTask'; which: number; request: boolean }
  | { kind: 'cancelRun'; which: number; request: boolean }
  /** `frames` 0: now; else when the n-th frame from now is sent. */
  | { kind: 'cut'; device: number; frames: number; cut: Cut }
  /** Cut, and cut again as soon as the next hello is under way: it arrives late, perhaps after the one that follows it. */
  | { kind: 'flap'; device: number; helloLateMs: number }
  | { kind: 'stall'; device: number; direction: 'up' | 'down'; ms: number }
  | { kind: 'partition'; device: number; ms: number }
  | { kind: 'crashController'; crash: Crash }
  | { kind: 'crashAgent'; device: number; crash: Crash }
  | { kind: 'powerCut'; device: number; crash: Crash }
  | { kind: 'turnControllerClock'; ms: number; forMs: number }
  | { kind: 'turnDeviceClock'; device: number; ms: number; forMs: number }
  | { kind: 'disable'; device: number; forMs: number }
  | { kind: 'remove'; device: number }
  /** The disk is put back to what it was before: a snapshot of the machine is restored. */
  | { kind: 'restore'; device: number; ageMs: number; downMs: number; approvedAfterMs: number }
  | { kind: 'wipe'; device: number; downMs: number }
  /** Stopped politely, and started again: an upgrade. */
  | { kind: 'restartController'; downMs: number }
  | { kind: 'restartAgent'; device: number; downMs: number }
  | { kind: 'fillControllerDisk'; at: FullAt; forMs: number }
  | { kind: 'fillDeviceDisk'; device: number; at: FullAt; forMs: number };

export interface TransactionDeath {
  steps: number;
  side: CommitSide;
  downMs: number;
  /** How it dies again, counted from then. */
  next: TransactionDeath | undefined;
}

export interface Schedule {
  devices: number;
  /** After this no new fault begins. */
  durationMs: number;
  /** In order of time. */
  actions: { at: number; action: Action }[];
  /** A small outbox forces gaps into logs. */
  smallOutbox: boolean;
  /** How many of the controller's wake-ups are lost. */
  lostWakeUps: number;
}

/** Drawn apart, see `drawSyncs`. */
type OtherKind = Exclude<Action['kind'], 'sync' | 'dieInTransaction'>;

const weights: Record<OtherKind, number> = {
  create: 34,
  cancelTask: 14,
  cancelRun: 2,
  cut: 12,
  flap: 6,
  stall: 6,
  partition: 3,
  crashController: 8,
  crashAgent: 9,
  powerCut: 5,
  turnControllerClock: 2,
  turnDeviceClock: 3,
  disable: 2,
  remove: 0.5,
  restore: 2,
  wipe: 1,
  restartController: 2,
  restartAgent: 2,
  fillControllerDisk: 2,
  fillDeviceDisk: 3,
};

const minute = 60_000;
const year = 365 * 24 * 60 * minute;

/**
 * Draws what happens in one run. Each run leaves some kinds of faults out altogether, so that rare meetings of the others become
 * likely.
 */
export function drawSchedule(random: SeededRandom): Schedule {
  const devices = random.integer(1, 4);
  const durationMs = random.integer(20_000, 120_000);
  const swarm = drawSwarm(random);
  const count = random.integer(8, 40);
  const times = Array.from({ length: count }, () => random.integer(0, durationMs)).sort(
    (left, right) => left - right,
  );
  return {
    devices,
    durationMs,
    smallOutbox: random.chance(0.15),
    lostWakeUps: random.pick([0, 0, 0, 0, 0.5, 1]),
    actions: [
      ...times.map((at, index) => ({
        at,
        action: drawAction(index < 2 ? 'create' : random.weighted(swarm), {
          random: random.split(`action ${index}`),
          devices,
          index,
        }),
      })),
      ...drawSyncs(random.split('syncs'), { devices, durationMs, firstTag: count + 1 }),
    ].sort((left, right) => left.at - right.at),
  };
}

/** Configurations for the devices in some of the runs, and deaths in the middle of them. */
function drawSyncs(
  random: SeededRandom,
  { devices, durationMs, firstTag }: { devices: number; durationMs: number; firstTag: number },
): Schedule['actions'] {
  if (random.chance(0.4)) return [];
  const times = (most: number): number[] =>
    Array.from({ length: random.integer(0, most) }, () => random.integer(0, durationMs)).sort(
      (left, right) => left - right,
    );
  const syncs = [random.integer(0, 10_000), ...times(5)].map((at, index) => {
    const tag = firstTag + index;
    const sync = drawSync(random, { devices, tag });
    const inMs = random.chance(0.1) ? random.integer(500, 40_000) : undefined;
    const request = drawSyncRequest(random, sync.device);
    return { at, action: { kind: 'sync' as const, request, sync, tag, inMs } };
  });
  const deaths = times(4).map((at) => {
    const who = random.pick(['agent', 'agent', 'power'] as const);
    const device = random.integer(0, devices - 1);
    return { at, action: { kind: 'dieInTransaction' as const, device, who, death: drawDeath(random, who) } };
  });
  return [...syncs, ...deaths];
}

function drawDeath(random: SeededRandom, who: 'agent' | 'power', earlier = 0): TransactionDeath {
  return {
    steps: who === 'agent' ? random.integer(1, 70) : random.integer(1, 40),
    side: who === 'agent' ? random.pick(['before', 'after']) : 'before',
    downMs: drawSpan(random, 60_000),
    next: earlier < 3 && random.chance(0.4) ? drawDeath(random, who, earlier + 1) : undefined,
  };
}

function drawSwarm(random: SeededRandom): Record<OtherKind, number> {
  const swarm = { ...weights };
  for (const kind of Object.keys(weights) as OtherKind[]) {
    if (kind !== 'create' && random.chance(0.4)) swarm[kind] = 0;
  }
  return swarm;
}

function drawAction(
  kind: OtherKind,
  { random, devices, index }: { random: SeededRandom; devices: number; index: number },
): Action {
  const device = random.integer(0, devices - 1);
  switch (kind) {
    case 'create':
      return {
        kind,
        request: drawRequest({ random, devices, tag: index + 1 }),
        inMs: random.chance(0.15) ? random.integer(500, 40_000) : undefined,
      };
    case 'cancelTask':
      return { kind, which: random.fraction(), request: random.chance(0.7) };
    case 'cancelRun':
      return { kind, which: random.fraction(), request: random.chance(0.5) };
    case 'cut':
      return {
        kind,
        device,
        frames: random.chance(0.3) ? 0 : random.integer(1, 8),
        cut: drawCut(random),
      };
    case 'flap':
      return { kind, device, helloLateMs: drawSpan(random, 40_000) };
    case 'stall':
      return { kind, device, direction: random.pick(['up', 'down']), ms: drawSpan(random, 90_000) };
    case 'partition':
      return { kind, device, ms: drawSpan(random, 180_000) };
    case 'crashController':
      return { kind, crash: drawCrash(random) };
    case 'crashAgent':
    case 'powerCut':
      return { kind, device, crash: drawCrash(random) };
    case 'turnControllerClock':
      return { kind, ms: drawJump(random), forMs: drawSpan(random, 60_000) };
    case 'turnDeviceClock':
      return { kind, device, ms: drawJump(random), forMs: drawSpan(random, 120_000) };
    case 'disable':
      return { kind, device, forMs: drawSpan(random, 60_000) };
    case 'remove':
      return { kind, device };
    case 'restore':
      return {
        kind,
        device,
        ageMs: random.integer(2_000, 60_000),
        downMs: drawSpan(random, 20_000),
        approvedAfterMs: drawSpan(random, 60_000),
      };
    case 'wipe':
    case 'restartAgent':
      return { kind, device, downMs: drawSpan(random, 20_000) };
    case 'restartController':
      return { kind, downMs: drawSpan(random, 20_000) };
    case 'fillControllerDisk':
      return { kind, at: random.pick(['write', 'commit']), forMs: drawSpan(random, 40_000) };
    case 'fillDeviceDisk':
      return { kind, device, at: random.pick(['write', 'commit']), forMs: drawSpan(random, 90_000) };
  }
}

/** From a moment to the ceiling, short ones as likely as long ones. */
export const drawSpan = (random: SeededRandom, ceilingMs: number): number =>
  Math.floor(10 * (ceilingMs / 10) ** random.fraction());

const drawJump = (random: SeededRandom): number =>
  (random.chance(0.5) ? 1 : -1) * (random.chance(0.5) ? year : drawSpan(random, 60 * minute));

function drawCrash(random: SeededRandom, earlier = 0): Crash {
  return {
    commits: earlier === 0 && random.chance(0.2) ? 0 : random.integer(1, 6),
    side: random.pick(['before', 'after']),
    downMs: drawSpan(random, 30_000),
    next: earlier < 3 && random.chance(0.3) ? drawCrash(random, earlier + 1) : undefined,
  };
}

/** Both sides learn of it, or only one, or none: a half-dead link. */
function drawCut(random: SeededRandom): Cut {
  const learns = random.weighted({ both: 4, agent: 4, controller: 2, neither: 1 });
  const when = (): Learns => (random.chance(0.3) ? 'in order' : drawSpan(random, 20_000));
  return {
    agentLearns: learns === 'both' || learns === 'agent' ? when() : 'never',
    controllerLearns: learns === 'both' || learns === 'controller' ? when() : 'never',
    upArrive: random.pick([0, 0, 1, 2, 3, 100]),
    downArrive: random.pick([0, 0, 1, 2, 3, 100]),
    lateMs: random.chance(0.5) ? 0 : drawSpan(random, 20_000),
  };
}
