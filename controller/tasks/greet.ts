import type { Instant, Random } from '../../shared/clock.ts';
import { closeCodes, protocolVersion } from '../../shared/protocol/version.ts';
import { keyFingerprint } from '../../shared/node/keys.ts';
import type { Hello, HeldVerdict, Welcome } from '../../shared/protocol/hello.ts';
import { ControllerKeyChange, type SignedKeyChange } from '../../shared/protocol/key-change.ts';
import type { HeldTask, OnlineDevices, OnlineLink } from '../devices/online.ts';
import { controllerActor } from '../devices/actor.ts';
import type { DeviceRow, DeviceStoreRow } from '../store/devices.ts';
import type { StoreTables } from '../store/store.ts';
import type { TaskRow } from '../store/tasks.ts';
import type { Changes } from './changes.ts';
import { judgeHello } from './fence.ts';
import { eventsOfMoves, taskKey } from './moves.ts';
import { sendAnswers } from './send-answers.ts';
import { letThrough } from './rollout-gate.ts';
import { shutdownProof } from './shutdown-proof.ts';
import { heldVerdict, isLost } from './verdict.ts';

export interface Greeting {
  link: OnlineLink;
  hello: Hello;
}

export interface GreetContext {
  now: Instant;
  random: Random;
  online: OnlineDevices;
  heartbeatMs: number;
  reconnectWithinMs: number;
  /** How the controller's key changed, oldest first. */
  keyChanges: SignedKeyChange[];
  timeoutGraceMs: number;
  monotonic: number;
  /** Called when a link whose hello was committed turns out to be closed already. */
  left(link: OnlineLink): void;
}

interface Admitted extends Greeting {
  device: DeviceRow;
  appliedSeq: number;
}

/**
 * Applies hellos: fences, reconciles the lists, moves tasks, and welcomes after the commit.
 *
 * - Of several hellos of one device only the one of the newest link counts; the others' links are closed.
 * - After the commit no task of the device is IN_PROGRESS that it does not hold.
 * - `start` goes out only for tasks that are IN_PROGRESS in the same commit.
 */
export async function greet(
  tables: StoreTables,
  greetings: Greeting[],
  changes: Changes,
  context: GreetContext,
): Promise<void> {
  const admitted = await fence(tables, newestPerDevice(greetings, changes, context), changes, context);
  if (admitted.length === 0) return;

  const tasks = await reconcile(tables, admitted, changes, context);
  const answers = await tables.questions.untaken(admitted.map(({ link }) => link.deviceId));
  await tables.devices.saveHellos(
    admitted.map(({ link, hello }) => ({
      deviceId: link.deviceId,
      agentVersion: hello.agentVersion,
      taskTypes: hello.taskTypes,
      slots: hello.slots,
      bootId: hello.bootId,
      instanceId: hello.instanceId,
      epoch: hello.epoch,
      connection: hello.connection,
      storeId: hello.storeId,
      at: context.now,
    })),
  );
  for (const one of admitted) {
    if (context.online.get(one.link.deviceId) === undefined) {
      changes.events.push(deviceEvent(one.link, 'device.online', context.now, { name: one.device.name }));
    }
    changes.freedDevices.add(one.link.deviceId);
    changes.afterCommit.push(() => {
      welcome(one, tasks, context);
      sendAnswers(
        one.link,
        answers.filter(({ deviceId }) => deviceId === one.link.deviceId),
      );
    });
  }
}

export const deviceEvent = (
  link: { deviceId: string; organizationId: string },
  type: 'device.online' | 'device.offline' | 'device.quarantined',
  at: Instant,
  data: Record<string, unknown> = {},
) => ({
  type,
  at,
  organizationId: link.organizationId,
  deviceId: link.deviceId,
  taskId: null,
  runId: null,
  data,
});

function newestPerDevice(greetings: Greeting[], changes: Changes, context: GreetContext): Greeting[] {
  const newest = new Map<string, Greeting>();
  for (const greeting of greetings) {
    const { link } = greeting;
    if (link.isClosed) continue;
    const other = newest.get(link.deviceId);
    const loser =
      context.online.isStale(link) || (other && other.link.order > link.order) ? link : other?.link;
    if (loser) changes.afterCommit.push(() => loser.close(closeCodes.superseded, 'a newer link said hello'));
    if (loser !== link) newest.set(link.deviceId, greeting);
  }
  return [...newest.values()];
}

async function fence(
  tables: StoreTables,
  greetings: Greeting[],
  changes: Changes,
  context: GreetContext,
): Promise<Admitted[]> {
  if (greetings.length === 0) return [];
  const ids = greetings.map(({ link }) => link.deviceId);
  const devices = new Map((await tables.devices.getMany(ids)).map((device) => [device.id, device]));
  const stores = new Map<string, DeviceStoreRow[]>();
  for (const row of await tables.devices.deviceStores(ids)) {
    const rows = stores.get(row.deviceId);
    if (rows) rows.push(row);
    else stores.set(row.deviceId, [row]);
  }

  const admitted: Admitted[] = [];
  for (const greeting of greetings) {
    const { link, hello } = greeting;
    const device = devices.get(link.deviceId);
    const known = stores.get(link.deviceId) ?? [];
    const judged = judgeHello({ hello, publicKey: link.publicKey }, device, known);
    if (judged.verdict === 'pass' && device) {
      const appliedSeq = known.find(({ storeId }) => storeId === hello.storeId)?.appliedSeq ?? 0;
      admitted.push({ link, hello, device, appliedSeq });
    } else if (judged.verdict === 'quarantine') {
      await quarantine(
        tables,
        { link, name: device?.name ?? link.deviceId, reason: judged.reason },
        changes,
        context,
      );
    } else {
      const [code, reason] =
        judged.verdict === 'stale'
          ? ([closeCodes.superseded, 'a newer link said hello'] as const)
          : ([closeCodes.deviceNotEnabled, 'the device is not enabled'] as const);
      changes.afterCommit.push(() => link.close(code, reason));
    }
  }
  return admitted;
}

async function quarantine(
  tables: StoreTables,
  { link, name, reason }: { link: OnlineLink; name: string; reason: string },
  changes: Changes,
  { now, online }: GreetContext,
): Promise<void> {
  await tables.devices.setQuarantine(link.deviceId, reason, now);
  changes.events.push(deviceEvent(link, 'device.quarantined', now, { name, reason }));
  changes.audit.push({
    at: now,
    organizationId: link.organizationId,
    actor: controllerActor(link.organizationId).name,
    action: 'device.quarantine',
    target: name,
    detail: { reason },
    ipAddress: null,
    requestId: null,
  });
  changes.afterCommit.push(() => {
    link.close(closeCodes.quarantined, reason);
    online.get(link.deviceId)?.close(closeCodes.quarantined, reason);
  });
}

/** Brings the controller's view and the devices' lists together; returns the tasks the devices listed, as they stand now. */
async function reconcile(
  tables: StoreTables,
  admitted: Admitted[],
  changes: Changes,
  { now, timeoutGraceMs }: GreetContext,
): Promise<Map<string, TaskRow>> {
  const held = admitted.flatMap(({ link, hello }) =>
    hello.tasks.map(({ code }) => ({ deviceId: link.deviceId, code })),
  );
  if (held.length > 0) {
    const started = await tables.tasks.start(await letThrough(tables, held), now, timeoutGraceMs);
    changes.events.push(...eventsOfMoves(started, now, 'device'));
  }

  const open = await tables.tasks.inProgress(admitted.map(({ link }) => link.deviceId));
  await settleOpen(tables, admitted, open, { changes, now });

  const listed = held.length > 0 ? await tables.tasks.getMany(held) : [];
  return new Map(listed.map((task) => [taskKey(task), task]));
}

/** Ends IN_PROGRESS tasks that the hello proves to be over: shut down and back on a new boot, or not known to the device any more. */
async function settleOpen(
  tables: StoreTables,
  admitted: Admitted[],
  open: TaskRow[],
  { changes, now }: { changes: Changes; now: Instant },
): Promise<void> {
  if (open.length === 0) return;
  const byDevice = new Map(admitted.map((one) => [one.link.deviceId, one]));
  const proven = [];
  const lost = [];
  for (const task of open) {
    const one = byDevice.get(task.deviceId);
    if (one === undefined) continue;
    const listed = new Set(one.hello.tasks.map(({ code }) => code));
    if (task.type === 'SHUTDOWN' && task.poweringOffAt !== null && one.device.bootId !== one.hello.bootId) {
      proven.push(shutdownProof(task, { linkClosedAt: null, bootId: one.hello.bootId }));
    } else if (isLost(task, listed)) lost.push(task.id);
  }
  const why = {
    errorCode: 'lost_by_device',
    errorMessage: 'The device came back without the task; whether it ran is not known',
  };
  const moves = [
    ...(proven.length > 0 ? await tables.tasks.finish(proven, now) : []),
    ...(lost.length > 0 ? await tables.tasks.fail(lost, why, now) : []),
  ];
  changes.noteEnded(moves);
  changes.events.push(...eventsOfMoves(moves, now, 'controller'));
}

function welcome(
  { link, hello, device, appliedSeq }: Admitted,
  tasks: Map<string, TaskRow>,
  context: GreetContext,
): void {
  const replaced = context.online.enter(link);
  replaced?.close(closeCodes.superseded, 'a newer link said hello');
  link.storeId = hello.storeId;
  link.appliedSeq = appliedSeq;
  link.slots = hello.slots;
  if (link.isClosed) {
    context.online.leave(link);
    return context.left(link);
  }

  const verdicts: { code: string; verdict: HeldVerdict }[] = [];
  const cancels: string[] = [];
  for (const { code, state } of hello.tasks) {
    const task = tasks.get(taskKey({ deviceId: link.deviceId, code }));
    const verdict = heldVerdict(state, task);
    verdicts.push({ code, verdict });
    if (task && state !== 'finished' && verdict !== 'forget') hold(link, task, context.monotonic);
    if (verdict === 'start' && task !== undefined && task.cancelRequestedAt !== null) cancels.push(code);
  }
  link.send({
    type: 'welcome',
    protocol: Math.min(protocolVersion, hello.protocol.max),
    session: context.random.uuid(),
    clock: context.now,
    heartbeatMs: context.heartbeatMs,
    reconnectWithinMs: context.reconnectWithinMs,
    ackedSeq: appliedSeq,
    tasks: verdicts,
    factsWanted: device.factsDigest !== hello.factsDigest,
    ...keyNews(hello, device, context.keyChanges),
  });
  for (const code of cancels) link.send({ type: 'task.cancel', code });
}

/** What the device does not know yet of keys; an older agent is told nothing. */
function keyNews(
  { controllerKey, oldControllerKeyUntil }: Hello,
  { keyWantedAt }: DeviceRow,
  keyChanges: SignedKeyChange[],
): Pick<Welcome, 'keyChanges' | 'rotateKey'> {
  if (controllerKey === undefined) return {};
  const newest = keyChanges.at(-1);
  const said = newest && ControllerKeyChange.parse(JSON.parse(newest.statement));
  const knowsAll =
    said === undefined ||
    (keyFingerprint(said.next) === controllerKey && (oldControllerKeyUntil ?? 0) <= said.old_until);
  return {
    ...(knowsAll ? {} : { keyChanges }),
    ...(keyWantedAt === null ? {} : { rotateKey: true }),
  };
}

/** Marks the task as occupying a slot of the link's device. */
function hold(link: OnlineLink, task: TaskRow, since: number): void {
  link.held ??= new Map<string, HeldTask>();
  link.held.set(task.code, {
    id: task.id,
    lane: task.lane,
    type: task.type,
    runId: task.runId,
    state: 'started',
    since,
    expiresAt: null,
  });
}
