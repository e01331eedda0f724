/** Many agents connected: memory and processor of an idle fleet, and the return of all after a restart of the controller. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  collectable,
  freePort,
  heldKib,
  startProgram,
  stopProgram,
  waitForPort,
  Worker,
} from './children.ts';
import { cpuSeconds, emit, medians, numberOption, tell } from './measure.ts';
import { MusterController } from './muster-controller.ts';
import type { SwarmMember } from './swarm.ts';

type Case = Record<string, number>;
interface Controller {
  port: number;
  controllerId: string;
}

/** One worker per core: their sockets are what limits a storm. */
const workers = 1;
/** Before memory is read the fleet comes in small groups: what a storm leaves in the heap is not what a link holds. */
const calmWindow = 128;
/** How long an idle fleet is watched. Longer than two heartbeats. */
const idleSeconds = 60;

export async function connections(): Promise<void> {
  const runs = numberOption('runs', 3);
  const counts = [1_000, numberOption('connections', 10_000)];
  for (const count of counts) {
    const floors: Case[] = [];
    const musters: Case[] = [];
    for (let run = 1; run <= runs; run += 1) {
      floors.push(await measureFloor(count));
      tell(`floor ${count} ${run}/${runs} ${JSON.stringify(floors.at(-1))}`);
      musters.push(await measureMuster(count, run === 1));
      tell(`muster ${count} ${run}/${runs} ${JSON.stringify(musters.at(-1))}`);
    }
    const [floor, muster] = [medians(floors), medians(musters)];
    emit('connections', { case: 'floor: raw ws, hello', connections: count, runs, ...floor });
    emit('connections', {
      case: 'muster',
      connections: count,
      runs,
      ...muster,
      idleCpuPercent: musters[0]?.['idleCpuPercent'],
      kibBeyondFloor: (muster['kibPerConnection'] ?? 0) - (floor['kibPerConnection'] ?? 0),
      returnSecondsToFloor: (muster['returnSeconds'] ?? 0) / (floor['returnSeconds'] ?? 1),
    });
  }
}

async function measureFloor(count: number): Promise<Case> {
  const port = await freePort();
  const file = new URL('floor-accept.ts', import.meta.url).pathname;
  const start = async (): Promise<ChildProcess> => {
    const server = startProgram([...collectable, file, String(port)]);
    await waitForPort(port);
    return server;
  };
  const { generateKeyPair, exportPrivateKey } = await import('../shared/node/keys.ts');
  const privateKey = exportPrivateKey(generateKeyPair().privateKey);
  const members = Array.from({ length: count }, (_, index) => ({ deviceId: `device-${index}`, privateKey }));
  let server = await start();
  const swarms = await startSwarms(members);
  const controller = { port, controllerId: 'floor' };
  try {
    const emptyKib = await heldKib(server.pid ?? 0);
    await connectAll(swarms, controller, calmWindow);
    const kibPerConnection = ((await heldKib(server.pid ?? 0)) - emptyKib) / count;
    await stopProgram(server, 'SIGKILL');
    await Promise.all(swarms.map((swarm) => swarm.ask('lost')));
    server = await start();
    return { kibPerConnection, returnSeconds: await connectAll(swarms, controller, count) };
  } finally {
    await Promise.all(swarms.map((swarm) => swarm.stop()));
    await stopProgram(server);
  }
}

async function measureMuster(count: number, watchIdle: boolean): Promise<Case> {
  const controller = await MusterController.create();
  const members = await controller.addDevices(count);
  await controller.start(collectable);
  const swarms = await startSwarms(members);
  const target = { port: controller.port, controllerId: controller.controllerId };
  try {
    const emptyKib = await heldKib(controller.pid);
    await connectAll(swarms, target, calmWindow);
    const kibPerConnection = ((await heldKib(controller.pid)) - emptyKib) / count;
    const cpuBefore = cpuSeconds(controller.pid);
    if (watchIdle) await sleep(idleSeconds * 1000);
    const idleCpuPercent = watchIdle
      ? ((cpuSeconds(controller.pid) - cpuBefore) / idleSeconds) * 100
      : Number.NaN;
    await controller.stop('SIGKILL');
    await Promise.all(swarms.map((swarm) => swarm.ask('lost')));
    await controller.start();
    return { kibPerConnection, idleCpuPercent, returnSeconds: await connectAll(swarms, target, count) };
  } finally {
    await Promise.all(swarms.map((swarm) => swarm.stop()));
    await controller.stop();
  }
}

async function startSwarms(members: SwarmMember[]): Promise<Worker[]> {
  const share = Math.ceil(members.length / workers);
  return Promise.all(
    Array.from({ length: workers }, async (_, index) => {
      const swarm = new Worker('./swarm.ts');
      await swarm.ask('add', members.slice(index * share, (index + 1) * share));
      return swarm;
    }),
  );
}

/** At most `window` at a time; seconds until the last one is welcomed. */
async function connectAll(swarms: Worker[], controller: Controller, window: number): Promise<number> {
  const each = await Promise.all(
    swarms.map((swarm) => swarm.ask<{ seconds: number }>('connect', { controller, window })),
  );
  return Math.max(...each.map(({ seconds }) => seconds));
}
