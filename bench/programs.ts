/** What people wait for: the agent's start and size, the command line's start. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProgram, stopProgram, temporaryFolder } from './children.ts';
import { cpuSeconds, emit, median, numberOption, residentKib, tell } from './measure.ts';
import { MusterController } from './muster-controller.ts';

const agent = new URL('../agent/bin.js', import.meta.url).pathname;
const cli = new URL('../cli/bin.js', import.meta.url).pathname;
const idleSeconds = 30;

export async function programs(): Promise<void> {
  const runs = numberOption('runs', 5);
  const controller = await MusterController.create();
  await controller.start();
  try {
    await measureAgent(controller, runs);
    await measureCli(controller, runs);
  } finally {
    await controller.stop();
  }
}

async function measureAgent(controller: MusterController, runs: number): Promise<void> {
  const folder = await enrol(controller);
  const helloMs: number[] = [];
  await warmUp(controller, folder);
  for (let run = 0; run < runs; run += 1) {
    const startedAt = performance.now();
    const program = startAgent(folder);
    await untilOnline(controller, true);
    helloMs.push(performance.now() - startedAt);
    tell(`agent hello after ${helloMs.at(-1)?.toFixed(0)} ms`);
    if (run < runs - 1) {
      await stopProgram(program, 'SIGKILL');
      await untilOnline(controller, false);
      continue;
    }
    await sleep(5_000);
    const cpuBefore = cpuSeconds(program.pid ?? 0);
    await sleep(idleSeconds * 1000);
    const idleCpuPercent = ((cpuSeconds(program.pid ?? 0) - cpuBefore) / idleSeconds) * 100;
    emit('agent', {
      runs,
      startToHelloMs: median(helloMs),
      residentMib: residentKib(program.pid ?? 0) / 1024,
      idleCpuPercent,
    });
    await stopProgram(program);
  }
}

const startAgent = (folder: string): ChildProcess =>
  startProgram(['--max-semi-space-size=1', agent, 'start', '--data', folder, '--dummy'], {
    MUSTER_AGENT_LOG_LEVEL: 'warn',
  });

/** The first start after a change of the sources compiles them; it keeps what it compiled after 5 s. */
async function warmUp(controller: MusterController, folder: string): Promise<void> {
  const program = startAgent(folder);
  await untilOnline(controller, true);
  await sleep(6_000);
  await stopProgram(program);
  await untilOnline(controller, false);
}

async function enrol(controller: MusterController): Promise<string> {
  const folder = temporaryFolder();
  const { token } = await controller.request<{ token: string }>(
    'POST',
    '/organizations/default/enrolment-tokens',
    {
      name: 'bench',
      auto_approve: true,
    },
  );
  execFileSync(process.execPath, [agent, 'enrol', '--data', folder, '--token', token, '--name', 'bench-1'], {
    stdio: 'ignore',
  });
  return folder;
}

async function untilOnline(controller: MusterController, online: boolean): Promise<void> {
  for (let deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(5)) {
    const device = await controller.request<{ online: boolean }>(
      'GET',
      '/organizations/default/devices/bench-1',
    );
    if (device.online === online) return;
  }
  throw new Error(`the agent is not ${online ? 'online' : 'offline'} after 20 s`);
}

async function measureCli(controller: MusterController, runs: number): Promise<void> {
  const environment = controller.environment;
  const commands = {
    'node -e 0': ['-e', '0'],
    version: [cli, 'version'],
    'task list': [cli, 'task', 'list'],
  };
  for (const [name, argv] of Object.entries(commands)) {
    const times: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      const startedAt = performance.now();
      const code = await new Promise((settle) => {
        spawn(process.execPath, argv, { stdio: 'ignore', env: { ...process.env, ...environment } }).once(
          'exit',
          settle,
        );
      });
      if (code !== 0) throw new Error(`muster ${name} ended with ${code}`);
      times.push(performance.now() - startedAt);
    }
    emit('cli', { case: name, runs, ms: median(times) });
  }
}
