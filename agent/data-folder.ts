import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** What the agent keeps, and where. */
export class DataFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Private Ed25519 key of the device, PEM. */
  get key(): string {
    return join(this.path, 'device.key');
  }

  /** Made, and not in its place yet. */
  get nextKey(): string {
    return join(this.path, 'device.key.next');
  }

  get identity(): string {
    return join(this.path, 'identity.json');
  }

  get database(): string {
    return join(this.path, 'agent.sqlite');
  }

  get lock(): string {
    return join(this.path, 'agent.lock');
  }

  get status(): string {
    return join(this.path, 'status.json');
  }

  /** Disk space that is given up when there is no other. */
  get reserve(): string {
    return join(this.path, 'reserve');
  }

  /** Identity (age) for what is encrypted to this device. */
  get ageIdentity(): string {
    return join(this.path, 'device.age');
  }

  /** Key of the digests in views and states. */
  get viewKey(): string {
    return join(this.path, 'view.key');
  }

  /** What waits to be uploaded. */
  get spool(): string {
    return join(this.path, 'spool');
  }

  /** What the last PULL found. */
  get lastView(): string {
    return join(this.path, 'last-view.json');
  }

  /** What the last BACKUP made. */
  get lastArchive(): string {
    return join(this.path, 'last-archive.json');
  }

  get transactions(): string {
    return join(this.path, 'transactions');
  }

  get dummyBootId(): string {
    return join(this.path, 'dummy-boot-id');
  }

  create(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
  }
}
