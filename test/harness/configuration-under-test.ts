import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataFolder } from '../../agent/data-folder.ts';
import { openDeviceKeys } from '../../agent/device-keys.ts';
import type { Configuration } from '../../agent/handlers/configuration.ts';
import { dummyContext, type DummyContext } from '../../agent/handlers/dummy-context.ts';
import { ControllerClock } from '../../agent/link/controller-clock.ts';
import { HttpTransfers } from '../../agent/link/transfers.ts';
import { DiskTree } from '../../agent/transaction/archive-disk-tree.ts';
import { DeviceProfile } from '../../shared/device-profile.ts';
import { type AgeKeys, generateAgeKeys } from '../../shared/node/age.ts';
import { systemClock, systemRandom } from '../../shared/node/system-clock.ts';
import { TransactionUnderTest } from './linux-transaction.ts';
import { TransferController } from './transfer-controller.ts';

/** What PULL and BACKUP work with: real files, a real transaction machine, and a controller over real sockets. */
export class ConfigurationUnderTest implements AsyncDisposable {
  readonly device: TransactionUnderTest;
  readonly controller: TransferController;
  /** Holders of escrow keys. */
  readonly holders: AgeKeys[];
  configuration: Configuration;
  readonly #transfers: HttpTransfers;

  private constructor(parts: {
    device: TransactionUnderTest;
    controller: TransferController;
    holders: AgeKeys[];
    transfers: HttpTransfers;
    configuration: Configuration;
  }) {
    this.device = parts.device;
    this.controller = parts.controller;
    this.holders = parts.holders;
    this.#transfers = parts.transfers;
    this.configuration = parts.configuration;
  }

  static async start(): Promise<ConfigurationUnderTest> {
    const device = new TransactionUnderTest();
    const controller = await TransferController.start();
    const folder = new DataFolder(join(device.path, 'data'));
    mkdirSync(folder.path);
    const asking = {
      url: controller.url,
      controllerId: controller.controllerId,
      deviceId: controller.deviceId,
      keys: controller.deviceKeys,
      controllerClock: new ControllerClock(systemClock),
      random: systemRandom,
    };
    const hasty = {
      ...systemClock,
      sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 100, signal),
    };
    const transfers = new HttpTransfers({ ...asking, clock: hasty });
    const keys = { keys: controller.deviceKeys };
    const configuration: Configuration = {
      device: { id: controller.deviceId, name: 'edge', agentVersion: '1.2.3' },
      profile: profileOf(device),
      machine: device.machine,
      tree: new DiskTree(),
      transfers,
      probe: {
        address: { host: '192.0.2.1', port: 443 },
        attempt: () => Promise.reject(new Error('no probe')),
      },
      keys: await openDeviceKeys(folder, keys),
      spool: folder.spool,
      memory: { view: folder.lastView, archive: folder.lastArchive },
      ownPaths: [folder.path],
    };
    const holders = [await generateAgeKeys(), await generateAgeKeys()];
    return new ConfigurationUnderTest({ device, controller, holders, transfers, configuration });
  }

  get recipients(): string[] {
    return this.holders.map(({ recipient }) => recipient);
  }

  /** Of one task. */
  context(code = 'aB3dE6gH'): DummyContext {
    return dummyContext({ code });
  }

  /** What still waits to be uploaded. */
  spooled(): string[] {
    const { spool } = this.configuration;
    return existsSync(spool) ? readdirSync(spool) : [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#transfers[Symbol.dispose]();
    await this.controller[Symbol.asyncDispose]();
    this.device[Symbol.dispose]();
  }
}

const profileOf = (device: TransactionUnderTest): DeviceProfile =>
  DeviceProfile.parse({
    id: 'test',
    rev: 3,
    summary: 'A device under test',
    platform: 'linux',
    tried: 'run',
    units: ['alpha', 'beta'].map((name) => ({
      name,
      summary: `Unit ${name}`,
      paths: [{ glob: device.etc(name, '*.conf') }],
      secrets: [{ id: 'password', match: '^password (?<secret>.*)$', replace: 'token' }],
    })),
  });
