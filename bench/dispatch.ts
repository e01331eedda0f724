/** Tasks per second and latency: Muster beside the floor, in turn within each run. */
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, startProgram, stopProgram, temporaryFolder, waitForPort, Worker } from './children.ts';
import { busyMeter, cpuSeconds, emit, medians, numberOption, preciseNow, tell } from './measure.ts';
import { MusterController } from './muster-controller.ts';

interface Figures {
  completed: number;
  p50Ms: number;
  p99Ms: number;
}
type Case = Record<string, number>;

const paced = { perSecond: 200, seconds: 5 };
/** Both sides compile their request path before it is measured. */
const warmUp = { perSecond: 200, seconds: 3 };

export async function dispatch(): Promise<void> {
  const tasks = numberOption('tasks', 10_000);
  const devices = numberOption('devices', 1_000);
  const runs = numberOption('runs', 3);
  const floors: Case[] = [];
  const musters: Case[] = [];
  for (let run = 1; run <= runs; run += 1) {
    floors.push(await measureFloor(tasks, devices));
    tell(`floor ${run}/${runs} ${JSON.stringify(floors.at(-1))}`);
    musters.push(await measureMuster(tasks, devices));
    tell(`muster ${run}/${runs} ${JSON.stringify(musters.at(-1))}`);
  }
  const [floor, muster] = [medians(floors), medians(musters)];
  emit('dispatch', { case: 'floor: ws + SQLite FULL, group commit', tasks, devices, runs, ...floor });
  emit('dispatch', {
    case: 'muster',
    tasks,
    devices,
    runs,
    ...muster,
    perSecondToFloor: ratio(muster, floor, 'perSecond'),
    pacedP99ToFloor: ratio(muster, floor, 'pacedP99Ms'),
  });
}

const ratio = (left: Case, right: Case, field: string): number => (left[field] ?? 0) / (right[field] ?? 1);

async function measureFloor(tasks: number, devices: number): Promise<Case> {
  const port = await freePort();
  const file = new URL('floor-controller.ts', import.meta.url).pathname;
  const controller = startProgram([file, String(port), temporaryFolder()]);
  await waitForPort(port);
  const load = new Worker('./floor-load.ts');
  try {
    await load.ask('connect', { port, devices });
    await load.ask('burst', { tasks: Math.min(1000, tasks), devices });
    const busy = busyMeter();
    const cpuBefore = cpuSeconds(controller.pid ?? 0);
    const burst = await load.ask<Figures & { seconds: number }>('burst', { tasks, devices });
    const cpu = cpuSeconds(controller.pid ?? 0) - cpuBefore;
    const machineBusy = busy();
    await load.ask('paced', { ...warmUp, devices });
    const calm = await load.ask<Figures>('paced', { ...paced, devices });
    return summary({ tasks, seconds: burst.seconds, cpu, machineBusy }, calm);
  } finally {
    await load.stop();
    await stopProgram(controller);
  }
}

async function measureMuster(tasks: number, devices: number): Promise<Case> {
  const controller = await MusterController.create();
  const members = await controller.addDevices(devices);
  await controller.start();
  const swarm = new Worker('./swarm.ts');
  try {
    await swarm.ask('add', members);
    await swarm.ask('connect', { controller: target(controller), window: 200 });
    await burstOf(controller, swarm, devices, devices);
    const busy = busyMeter();
    const cpuBefore = cpuSeconds(controller.pid);
    const { seconds, acceptedSeconds } = await burstOf(controller, swarm, tasks, devices);
    const cpu = cpuSeconds(controller.pid) - cpuBefore;
    const machineBusy = busy();
    await pacedLoad(controller, swarm, { ...warmUp, devices });
    const calm = await pacedLoad(controller, swarm, { ...paced, devices });
    return {
      ...summary({ tasks, seconds, cpu, machineBusy }, calm),
      acceptedPerSecond: tasks / acceptedSeconds,
    };
  } finally {
    await swarm.stop();
    await controller.stop();
  }
}

const target = ({ port, controllerId }: MusterController): { port: number; controllerId: string } => ({
  port,
  controllerId,
});

/** Asks for `tasks` SCRIPTs in requests of one task per device, and waits until all are committed as COMPLETED. */
async function burstOf(
  controller: MusterController,
  swarm: Worker,
  tasks: number,
  devices: number,
): Promise<{ seconds: number; acceptedSeconds: number }> {
  await swarm.ask('expect', tasks);
  const startedAt = performance.now();
  for (let asked = 0; asked < tasks; asked += devices) await controller.run({ all: true }, preciseNow());
  const acceptedSeconds = (performance.now() - startedAt) / 1000;
  await swarm.ask('reached', 120_000);
  return { seconds: (performance.now() - startedAt) / 1000, acceptedSeconds };
}

async function pacedLoad(
  controller: MusterController,
  swarm: Worker,
  { perSecond, seconds, devices }: { perSecond: number; seconds: number; devices: number },
): Promise<Figures> {
  const total = perSecond * seconds;
  await swarm.ask('expect', total);
  const startedAt = performance.now();
  const requests: Promise<unknown>[] = [];
  for (let index = 0; index < total; index += 1) {
    const wait = startedAt + (index * 1000) / perSecond - performance.now();
    if (wait > 0) await sleep(wait);
    requests.push(controller.run({ devices: [`device-${(index * 37) % devices}`] }, preciseNow()));
  }
  await Promise.all(requests);
  return swarm.ask<Figures>('reached', 30_000);
}

const summary = (
  burst: { tasks: number; seconds: number; cpu: number; machineBusy: number },
  calm: Figures,
): Case => ({
  perSecond: burst.tasks / burst.seconds,
  controllerCpuMicrosPerTask: (burst.cpu * 1e6) / burst.tasks,
  pacedP50Ms: calm.p50Ms,
  pacedP99Ms: calm.p99Ms,
  machineBusy: burst.machineBusy,
});
