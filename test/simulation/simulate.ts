import type { Logger } from '../../shared/node/logger.ts';
import { isFinal } from '../../shared/task-state.ts';
import { Director } from './director.ts';
import { type Violation, violations } from './invariants.ts';
import { Operator } from './operator.ts';
import type { Plant } from './plants.ts';
import { seededRandom } from './random.ts';
import { drawSchedule } from './schedule.ts';
import type { Trace } from './trace.ts';
import { World } from './world.ts';

export interface RunOptions {
  seed: number;
  image: Buffer;
  plant?: Plant;
  /** Keeps the lines of the trace, for a reader. */
  keepsTrace?: boolean;
  log: (trace: Trace) => Logger;
}

export interface Outcome {
  seed: number;
  violations: Violation[];
  /** Equal for two runs that were the same in every step. */
  digest: string;
  trace: string[];
  tasks: number;
  executions: number;
  simulatedMs: number;
}

const minute = 60_000;
/** Longest time to come to rest: beyond every expiry, timeout and absence of the schedule, twice. */
const restMs = 20 * minute;
const probeMs = 5 * minute;
/** Longer than any poll that may be needed when a wake-up is lost. */
const lastLookMs = 3_000;

/** Plays one schedule, lets everything come to rest, proves that every device still works, and checks every promise. */
export async function simulate({
  seed,
  image,
  plant,
  keepsTrace = false,
  log,
}: RunOptions): Promise<Outcome> {
  const random = seededRandom(String(seed));
  const schedule = drawSchedule(random.split('schedule'));
  const world = new World({
    random: random.split('world'),
    schedule,
    image,
    keepsTrace,
    log,
    plant: plant ?? { says: 'nothing is wrong' },
  });
  const operator = new Operator(world);
  const director = new Director(world, operator);
  const { scheduler, ledger } = world;

  world.start();
  operator.answerQuestions();
  director.play(schedule.actions);
  await scheduler.run(schedule.durationMs);
  director.end();
  await awaitRest(world, operator, restMs);

  for (const device of world.present) operator.create(probe(device.name));
  await scheduler.run(scheduler.now + 1_000);
  await awaitRest(world, operator, probeMs);

  for (const { managed } of world.present) managed.requireWhole('everything is at rest');
  const found = violations({ ledger, controller: world.raw, agents: world.agentDatabases });
  const outcome = {
    seed,
    violations: [...found, ...deaf(world), ...unread(world)],
    digest: world.trace.digest,
    trace: world.trace.lines,
    tasks: ledger.tasks.size,
    executions: ledger.executions.length,
    simulatedMs: scheduler.now,
  };
  world.close();
  return outcome;
}

const probeTag = 100;
const probe = (device: string) => ({
  type: 'PING' as const,
  targets: { devices: [device] },
  payload: { count: probeTag },
  expires_in_seconds: 240,
  timeout_seconds: 60,
  force: false,
  dry_run: false,
});

async function awaitRest(world: World, operator: Operator, limitMs: number): Promise<void> {
  const until = world.scheduler.now + limitMs;
  while (
    world.scheduler.now < until &&
    !(letIn(world, operator) && operator.waiting === 0 && isAtRest(world))
  ) {
    await world.scheduler.run(world.scheduler.now + 2_000);
  }
  await world.scheduler.run(world.scheduler.now + lastLookMs);
}

function isAtRest({ ledger, present, controller, network }: World): boolean {
  return (
    [...ledger.tasks.values()].every(({ state }) => isFinal(state)) &&
    controller.core !== undefined &&
    present.every(
      ({ agentRuns, raw, id }) =>
        agentRuns &&
        network.open(id).length === 1 &&
        raw.prepare(`SELECT 1 FROM tasks WHERE state <> 'finished' UNION SELECT 1 FROM outbox`).get() ===
          undefined,
    )
  );
}

/** Approves what was disabled or is in quarantine; true when there was nothing to approve. */
function letIn({ raw }: World, operator: Operator): boolean {
  const out = raw
    .prepare<[], { name: string }>(
      `SELECT name FROM devices WHERE (status = 'DISABLED' OR quarantined_at IS NOT NULL) AND removed_at IS NULL`,
    )
    .all();
  for (const { name } of out) operator.approve(name);
  return out.length === 0;
}

/** Devices that do not complete a plain task although nothing is wrong any more. */
function deaf({ ledger, present }: World): Violation[] {
  return present.flatMap(({ id, name }) => {
    const answer = [...ledger.tasks.values()].find((task) => task.deviceId === id && task.tag === probeTag);
    return answer?.state === 'COMPLETED'
      ? []
      : [
          {
            invariant: 'every device works in the end',
            problem: `${name}: PING is ${answer?.state ?? 'not there'}`,
          },
        ];
  });
}

/** Everybody who follows the events gets each of them once and in order. */
function unread({ raw, events }: World): Violation[] {
  const told = raw.prepare<[], number>('SELECT cursor FROM events ORDER BY cursor').pluck().all();
  const problem = `${told.length} events were stored, ${events.seen.length} read`;
  return told.join() === events.seen.join()
    ? []
    : [{ invariant: 'every event is read once, in order', problem }];
}
