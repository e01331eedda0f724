import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { SyncStep } from '../../shared/task-types/sync.ts';
import { Appliance, type ApplianceOptions, applianceUnavailable } from '../harness/appliance.ts';
import { lacks } from '../harness/not-tested.ts';
import { projectRoot } from '../harness/source-files.ts';
import type { SyncPlan } from './sync-driver.ts';

const driver = join(projectRoot, 'test/appliance/sync-driver.ts');
const controller = { host: '10.77.0.1', port: 7443 };

const Outcome = z.object({
  outcome: z.string(),
  code: z.string(),
  message: z.string(),
  result: z
    .object({ journal: z.string().nullable(), on_disk: z.string(), steps: z.array(SyncStep) })
    .optional(),
  log: z.array(z.string()),
});
export type SyncOutcome = z.output<typeof Outcome>;

/** An appliance with real services, and a controller that it reaches over the hub. */
export class SyncLab implements AsyncDisposable {
  readonly appliance: Appliance;
  readonly #server: Server;
  #generation = 0;
  /** What was applied last: a transaction names everything, what it does not name is deleted. */
  #desired: Record<string, string> = {};

  private constructor(appliance: Appliance, server: Server) {
    this.appliance = appliance;
    this.#server = server;
  }

  static async boot(options: ApplianceOptions = {}): Promise<SyncLab> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end('here');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const appliance = await Appliance.boot(options);
    const address = server.address();
    await appliance.expose(controller.port, typeof address === 'object' && address ? address.port : 0);
    return new SyncLab(appliance, server);
  }

  /** Why no lab can be had on this machine, or undefined. */
  static unavailable(...programs: string[]): string | undefined {
    return applianceUnavailable() ?? programs.map(lacks).find((reason) => reason !== undefined);
  }

  /** One transaction with these files and all that were applied before, by the shipped profile. */
  async sync(
    files: Record<string, string>,
    options: Pick<SyncPlan, 'stopAfterApply'> = {},
  ): Promise<SyncOutcome> {
    const generation = ++this.#generation;
    const all = { ...this.#desired, ...files };
    const plan: SyncPlan = { id: `lab-${generation}`, generation, controller, files: all, ...options };
    const path = `/var/lib/muster-lab-plan-${generation}.json`;
    await this.appliance.write(path, JSON.stringify(plan));
    const end = await this.appliance.exec([process.execPath, driver, path]);
    const line = end.stdout.trim().split('\n').at(-1) ?? '';
    if (end.exitCode !== 0 || line === '') throw new Error(`the driver failed: ${end.stderr.slice(-4000)}`);
    const outcome = Outcome.parse(JSON.parse(line));
    if (outcome.outcome === 'applied') this.#desired = all;
    return outcome;
  }

  /** A transaction that must come through. */
  async applied(files: Record<string, string>): Promise<SyncOutcome> {
    const outcome = await this.sync(files);
    if (outcome.outcome === 'applied') return outcome;
    throw new Error(`${outcome.outcome}: ${outcome.message}\n${outcome.log.join('\n').slice(-6000)}`);
  }

  /** Whether a service's own validator takes this text; `{file}` in its arguments is where it lies. */
  async accepts(text: string, argv: string[], file = '/tmp/candidate'): Promise<boolean> {
    await this.appliance.write(file, text);
    return (await this.appliance.exec(argv.map((one) => one.replace('{file}', file)))).exitCode === 0;
  }

  /** What a shell in the appliance prints. */
  shell(text: string): Promise<string> {
    return this.appliance.must('sh', '-c', text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.appliance[Symbol.asyncDispose]();
    this.#server.close();
  }
}
