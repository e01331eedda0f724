/** Muster as it runs: a controller, one agent, and `muster connect -L`; and sessions opened one by one, without a command line. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectAnswer } from '../shared/api/sessions.ts';
import { Mux } from '../shared/node/mux/mux.ts';
import type { MuxStream } from '../shared/node/mux/mux-stream.ts';
import { openSessionSocket } from '../shared/node/session-socket.ts';
import { openRequestBytes } from '../shared/tunnel/service.ts';
import { freePort, startProgram, stopProgram, temporaryFolder, waitForPort } from './children.ts';
import { MusterController } from './muster-controller.ts';
import { type Path, pathOf } from './tunnel-paths.ts';

const agentProgram = new URL('../agent/bin.js', import.meta.url).pathname;
const cli = new URL('../cli/bin.js', import.meta.url).pathname;
const device = '/organizations/default/devices/bench-1';

export interface OpenSession {
  /** What it took to open it, first byte included. */
  ms: number;
  /** A new stream to the target. */
  stream(): MuxStream;
  end(): void;
}

/** Asks for an echo on a new stream; settles with its first byte. */
export async function firstByte(stream: MuxStream): Promise<void> {
  stream.write('Ex');
  await once(stream, 'data');
}

export class MusterTunnel {
  readonly controller: MusterController;
  readonly agent: ReturnType<typeof startProgram>;

  private constructor(controller: MusterController, agent: ReturnType<typeof startProgram>) {
    this.controller = controller;
    this.agent = agent;
  }

  static async start(): Promise<MusterTunnel> {
    const controller = await MusterController.create();
    await controller.start();
    const folder = temporaryFolder();
    const { token } = await controller.request<{ token: string }>(
      'POST',
      '/organizations/default/enrolment-tokens',
      {
        name: 'bench',
        auto_approve: true,
      },
    );
    execFileSync(
      process.execPath,
      [agentProgram, 'enrol', '--data', folder, '--token', token, '--name', 'bench-1'],
      { stdio: 'ignore' },
    );
    const config = `${folder}/agent.yaml`;
    writeFileSync(
      config,
      'remote_access:\n  targets: ["127.0.0.1:*"]\nslots:\n  connect: 256\nlog_level: warn\n',
    );
    const agent = startProgram([
      '--max-semi-space-size=1',
      agentProgram,
      'start',
      '--data',
      folder,
      '--dummy',
      '--config',
      config,
    ]);
    while (!(await controller.request<{ online: boolean }>('GET', device)).online) await sleep(50);
    return new MusterTunnel(controller, agent);
  }

  /** `muster connect -L`; `url`: how the operator reaches the controller. */
  async forward(target: number, url = this.controller.environment.MUSTER_URL): Promise<Path> {
    const port = await freePort();
    const operator = startProgram([cli, 'connect', 'bench-1', '-L', `${port}:127.0.0.1:${target}`], {
      ...this.controller.environment,
      MUSTER_URL: url,
    });
    await waitForPort(port);
    return pathOf(port, [operator], {
      controllerPid: this.controller.pid,
      pids: [this.controller.pid, this.agent.pid ?? 0, operator.pid ?? 0],
    });
  }

  /** From the request to the first byte of a stream; the session stays open until `end`. */
  async open(target: number): Promise<OpenSession> {
    const startedAt = performance.now();
    const opened = await this.controller.request<ConnectAnswer>('POST', `${device}/connect`, {});
    const socket = await openSessionSocket({
      url: this.controller.environment.MUSTER_URL,
      session: opened.session,
      token: async () => opened.token,
      signal: AbortSignal.timeout(60_000),
    });
    const mux = new Mux(socket, { side: 'operator', onClose: () => {} });
    const request = openRequestBytes({ service: 'tcp', host: '127.0.0.1', port: target });
    const session = { stream: () => mux.open(request), end: () => mux.close('done', 'measured') };
    await firstByte(session.stream());
    return { ...session, ms: performance.now() - startedAt };
  }

  async stop(): Promise<void> {
    await stopProgram(this.agent);
    await this.controller.stop();
  }
}
