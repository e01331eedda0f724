/** Remote sessions beside a raw connection, socat, ssh and naive relays, in the same run. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { DelayedPort } from '../test/harness/delayed-port.ts';
import { Worker } from './children.ts';
import {
  busyMeter,
  cpuSeconds,
  emit,
  median,
  medians,
  numberOption,
  quantile,
  residentKib,
  tell,
} from './measure.ts';
import { firstByte, MusterTunnel } from './tunnel-muster.ts';
import { direct, type Path, relay, socatThrice, sshBoth } from './tunnel-paths.ts';

const sessionsAtOnce = 200;
const stallMib = 1024;
const farRoundTripMs = 100;
/** No further run of all paths begins after this: on a busy machine everything takes longer. */
const enoughMs = 6 * 60_000;
/** `--only=WORD`: paths with the word in their name. */
const only = process.argv.find((word) => word.startsWith('--only='))?.slice('--only='.length) ?? '';

export async function tunnels(): Promise<void> {
  const runs = numberOption('runs', 3);
  const ms = numberOption('seconds', 2) * 1000;
  const target = new Worker('./tunnel-target.ts');
  const port = await target.ask<number>('listen');
  const muster = await MusterTunnel.start();
  const paths: Record<string, (target: number) => Promise<Path>> = {
    direct,
    'socat x 3': socatThrice,
    muster: (to) => muster.forward(to),
    'bare relay, our streams': relay('mux'),
    'bare relay, HTTP/2': relay('h2'),
    'naive WebSocket relay': relay('ws'),
    'ssh -R + ssh -L': sshBoth,
  };
  const results = new Map<string, Record<string, number>[]>();
  const startedAt = performance.now();
  for (let run = 0; run < runs && performance.now() - startedAt < enoughMs; run += 1) {
    for (const [name, start] of Object.entries(paths).filter(([one]) => one.includes(only))) {
      const figures = await measure(await start(port), ms);
      tell(`${run} ${name} ${JSON.stringify(figures)}`);
      results.set(name, [...(results.get(name) ?? []), figures]);
    }
  }
  for (const [name, all] of results) emit('tunnels', { case: name, runs: all.length, ...medians(all) });
  await measureFar(muster, port, ms);
  await measureNewStreams(muster, port);
  await measureSessions(muster, port);
  await muster.stop();
  await target.stop();
}

async function measure(path: Path, ms: number): Promise<Record<string, number>> {
  const load = new Worker('./tunnel-load.ts');
  const { port, controllerPid, pids } = path;
  const busy = busyMeter();
  try {
    await load.ask('digest', { port, mib: 32 });
    const idle = await load.ask<{ p50: number; p99: number }>('ping', { port, count: 1000, gapMs: 0 });
    const firstByteMs = await load.ask<number>('firstByte', { port, count: 50 });
    const cpuBefore = controllerPid === undefined ? 0 : cpuSeconds(controllerPid);
    const down1 = await load.ask<number>('bulk', { port, streams: 1, ms, up: false });
    const cpu = controllerPid === undefined ? 0 : cpuSeconds(controllerPid) - cpuBefore;
    const up1 = await load.ask<number>('bulk', { port, streams: 1, ms, up: true });
    const down16 = await load.ask<number>('bulk', { port, streams: 16, ms, up: false });
    const under = await pingUnderBulk(load, port, ms);
    const memory = await stalledMib(load, path, ms);
    return {
      down1,
      up1,
      down16,
      pingMs: idle.p50,
      pingP99Ms: idle.p99,
      firstByteMs,
      pingUnderBulkMs: under.p50,
      pingUnderBulkP99Ms: under.p99,
      controllerCpuSecondsPerGb: pids.length === 0 ? 0 : cpu / ((down1 * (ms + 300)) / 1e6),
      stalledTakenMib: memory.taken,
      stalledGrowthMib: memory.grown,
      besideStalledShare: memory.beside / up1,
      busy: busy(),
    };
  } finally {
    await load.stop();
    await path.stop();
    await sleep(200);
  }
}

async function pingUnderBulk(load: Worker, port: number, ms: number): Promise<{ p50: number; p99: number }> {
  const other = new Worker('./tunnel-load.ts');
  const bulk = other.ask('bulk', { port, streams: 1, ms: ms + 500, up: false });
  await sleep(500);
  const under = await load.ask<{ p50: number; p99: number }>('ping', { port, count: 200, gapMs: 5 });
  await bulk;
  await other.stop();
  return under;
}

/** How much a path takes for a reader that never reads, how far its processes grow by it, and what another stream has beside it. */
async function stalledMib(
  load: Worker,
  { port, pids }: Path,
  ms: number,
): Promise<{ taken: number; grown: number; beside: number }> {
  const resident = (): number => pids.reduce((sum, pid) => sum + residentKib(pid), 0) / 1024;
  const before = resident();
  const taken = await load.ask<number>('stall', { port, mib: stallMib, ms: 1500 });
  const grown = resident() - before;
  const beside = await load.ask<number>('bulk', { port, streams: 1, ms, up: true });
  await load.ask('release');
  return { taken, grown, beside };
}

/** One stream over a round trip of 100 ms between the operator and the controller; the first seconds are for windows to grow. */
async function measureFar(muster: MusterTunnel, target: number, ms: number): Promise<void> {
  using far = await DelayedPort.listen(muster.controller.port, farRoundTripMs / 2);
  const path = await muster.forward(target, `http://127.0.0.1:${far.port}`);
  const load = new Worker('./tunnel-load.ts');
  await load.ask('digest', { port: path.port, mib: 32 });
  const down = await load.ask<number>('bulk', { port: path.port, streams: 1, ms, up: false, warmMs: 2000 });
  const up = await load.ask<number>('bulk', { port: path.port, streams: 1, ms, up: true, warmMs: 2000 });
  emit('tunnels', { case: 'far', roundTripMs: farRoundTripMs, down1: down, up1: up });
  await load.stop();
  await path.stop();
}

/** What it takes to open a session, alone and with 200 of them open. */
async function measureSessions(muster: MusterTunnel, port: number): Promise<void> {
  const alone: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    const { ms, end } = await muster.open(port);
    alone.push(ms);
    end();
    await sleep(50);
  }
  const pid = muster.controller.pid;
  const before = residentKib(pid);
  const startedAt = performance.now();
  const open = await Promise.all(Array.from({ length: sessionsAtOnce }, () => muster.open(port)));
  const allMs = performance.now() - startedAt;
  emit('tunnels', {
    case: 'sessions',
    setUpMs: median(alone),
    setUpP99Ms: quantile(alone, 0.99),
    atOnce: open.length,
    allOpenMs: allMs,
    controllerKibPerSession: (residentKib(pid) - before) / sessionsAtOnce,
    agentMib: residentKib(muster.agent.pid ?? 0) / 1024,
  });
  for (const { end } of open) end();
}

/** A ping on a stream that is open, and a new stream's first byte, in turn: both within one session and one process. */
async function measureNewStreams(muster: MusterTunnel, port: number): Promise<void> {
  const session = await muster.open(port);
  const kept = session.stream();
  await firstByte(kept);
  const [pings, firsts]: number[][] = [[], []];
  for (let round = -30; round < 300; round += 1) {
    const at = performance.now();
    kept.write('x');
    await once(kept, 'data');
    const between = performance.now();
    const fresh = session.stream();
    await firstByte(fresh);
    if (round >= 0) {
      pings?.push(between - at);
      firsts?.push(performance.now() - between);
    }
    fresh.destroy();
    await sleep(5); // what the last one leaves behind is not the next one's cost
  }
  const [ping, first] = [median(pings ?? []), median(firsts ?? [])];
  emit('tunnels', { case: 'new stream', pingMs: ping, firstByteMs: first, ratio: first / ping });
  session.end();
}
