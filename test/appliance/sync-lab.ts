import { join } from 'node:path';
import { z } from 'zod';
import { exportPrivateKey } from '../../shared/node/keys.ts';
import { SyncStep } from '../../shared/task-types/sync.ts';
import { Appliance, type ApplianceOptions, applianceUnavailable } from '../harness/appliance.ts';
import { lacks } from '../harness/not-tested.ts';
import { projectRoot } from '../harness/source-files.ts';
import { TransferController } from '../harness/transfer-controller.ts';
import type { SyncPlan } from './sync-driver.ts';

const driver = join(projectRoot, 'test/appliance/sync-driver.ts');
const port = 7443;

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

/** Without the network, its start would wait for the root's trust anchor. */
export const unboundWithoutNetwork = {
  '/etc/default/unbound': 'ROOT_TRUST_ANCHOR_UPDATE=false\n',
  '/etc/unbound/unbound.conf.d/root-auto-trust-anchor-file.conf': '',
};

/** An appliance with real services, and a controller that it reaches over the hub. */
export class SyncLab implements AsyncDisposable {
  readonly appliance: Appliance;
  readonly #controller: TransferController;
  /** Where the appliance reaches it. */
  readonly #url: string;
  #generation = 0;
  /** What was applied last: a transaction names everything, what it does not name is deleted. */
  #desired: Record<string, string> = {};

  private constructor(appliance: Appliance, controller: TransferController, url: string) {
    this.appliance = appliance;
    this.#controller = controller;
    this.#url = url;
  }

  /** `controllerName` instead of the hub's address; with `tls` it answers over HTTPS. */
  static async boot({
    controllerName,
    tls,
    ...options
  }: ApplianceOptions & {
    controllerName?: string;
    tls?: { cert: string; key: string };
  } = {}): Promise<SyncLab> {
    const controller = await TransferController.start(tls);
    const appliance = await Appliance.boot(options);
    await appliance.expose(port, controller.port);
    const host = controllerName ?? appliance.hub.address;
    return new SyncLab(appliance, controller, `${tls ? 'https' : 'http'}://${host}:${port}`);
  }

  /** Why no lab can be had on this machine, or undefined. */
  static unavailable(...programs: string[]): string | undefined {
    return applianceUnavailable() ?? programs.map(lacks).find((reason) => reason !== undefined);
  }

  /** One transaction with these files and all that were applied before, by the shipped profile. */
  async sync(
    files: Record<string, string>,
    {
      env = {},
      ...options
    }: Pick<SyncPlan, 'stopAfterApply' | 'units' | 'confirmSeconds'> & { env?: Record<string, string> } = {},
  ): Promise<SyncOutcome> {
    const generation = ++this.#generation;
    const all = { ...this.#desired, ...files };
    const { controllerId, deviceId, keys, deviceKeys } = this.#controller;
    const plan: SyncPlan = {
      id: `lab-${generation}`,
      generation,
      controller: { url: this.#url, controllerId, deviceId, controllerKey: keys.publicKey },
      privateKey: exportPrivateKey(deviceKeys.privateKey),
      files: all,
      ...options,
    };
    const path = `/var/lib/muster-lab-plan-${generation}.json`;
    await this.appliance.write(path, JSON.stringify(plan));
    const end = await this.appliance.exec([process.execPath, driver, path], { env, timeoutMs: 100_000 });
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
    await this.#controller[Symbol.asyncDispose]();
  }
}
