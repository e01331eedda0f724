/** Bulk bytes of devices: one large upload and download with the controller's memory, and a fleet that reports at once. */
import { createHash, randomUUID } from 'node:crypto';
import { Agent, type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SignJWT } from 'jose';
import { openStore } from '../controller/store/open.ts';
import { importPrivateKey, type KeyPair } from '../shared/node/keys.ts';
import { blobPath, pullReportPath, uploadCompletePath, uploadPath } from '../shared/protocol/transfer.ts';
import { emit, numberOption, preciseNow, quantile, residentKib, tell } from './measure.ts';
import { MusterController } from './muster-controller.ts';

const mib = 1024 * 1024;
const recipients = ['q', 'p'].map((letter) => `age1${letter.repeat(58)}`);

export async function transfers(): Promise<void> {
  const fleet = numberOption('devices', 1_000);
  const controller = await MusterController.create();
  const members = await controller.addDevices(fleet);
  const devices = members.map(({ deviceId, privateKey }) => new Device(controller, deviceId, privateKey));
  const tasks = await insertTasks(controller, devices);
  await controller.start();
  try {
    await measureLarge(controller, devices[0], tasks.backup);
    await measureFleet(controller, devices, tasks.pulls);
  } finally {
    await controller.stop();
  }
}

/** The bytes of one upload, made while they are sent. */
async function* bytesOf(size: number): AsyncGenerator<Buffer> {
  const chunk = Buffer.alloc(256 * 1024, 'muster');
  for (let left = size; left > 0; left -= chunk.length)
    yield left < chunk.length ? chunk.subarray(0, left) : chunk;
}

async function measureLarge(
  controller: MusterController,
  device: Device | undefined,
  code: string,
): Promise<void> {
  if (device === undefined) throw new Error('there is no device');
  const size = numberOption('mib', 1024) * mib;
  const hash = createHash('sha256');
  for await (const chunk of bytesOf(size)) hash.update(chunk);
  const sha256 = hash.digest('hex');
  await device.call('GET', uploadPath(code, 'archive'));
  const memory = new MemoryPeak(controller.pid);

  const uploadS = await timed(() =>
    device.call(
      'PATCH',
      uploadPath(code, 'archive'),
      { bytes: Readable.from(bytesOf(size)), size },
      { 'upload-offset': '0' },
    ),
  );
  const uploadMib = memory.grownMib();
  const completeS = await timed(() =>
    device.call('POST', uploadCompletePath(code, 'archive'), { size, sha256 }),
  );
  const downloadS = await timed(() => device.call('GET', blobPath(code, sha256)));
  emit('transfer', {
    case: 'one archive',
    mib: size / mib,
    uploadMibPerS: size / mib / uploadS,
    keepMibPerS: size / mib / completeS,
    downloadMibPerS: size / mib / downloadS,
    memoryBeforeMib: memory.beforeMib,
    memoryGrownUploadMib: uploadMib,
    memoryGrownMib: memory.grownMib(),
  });
  memory.stop();
}

/** What a PULL asks of the controller: where the upload ends, the view, that it is complete, the report. */
async function measureFleet(controller: MusterController, devices: Device[], codes: string[]): Promise<void> {
  const viewBytes = 50 * 1024;
  const memory = new MemoryPeak(controller.pid);
  const times: number[] = [];
  const startedAt = preciseNow();
  await Promise.all(
    devices.map(async (device, at) => {
      const code = codes[at] ?? '';
      const view = viewOf(device.id, viewBytes);
      const sha256 = createHash('sha256').update(view).digest('hex');
      await device.call('GET', uploadPath(code, 'view'));
      const body = { bytes: Readable.from([view]), size: view.length };
      await device.call('PATCH', uploadPath(code, 'view'), body, { 'upload-offset': '0' });
      await device.call('POST', uploadCompletePath(code, 'view'), { size: view.length, sha256 });
      await device.call('POST', pullReportPath(code), reportOf(sha256));
      times.push(preciseNow() - startedAt);
    }),
  );
  const seconds = (preciseNow() - startedAt) / 1000;
  emit('transfer', {
    case: 'a fleet pulls at once',
    devices: devices.length,
    seconds,
    requestsPerS: (devices.length * 4) / seconds,
    medianS: quantile(times, 0.5) / 1000,
    lastS: quantile(times, 1) / 1000,
    memoryGrownMib: memory.grownMib(),
  });
  memory.stop();
}

const viewOf = (id: string, bytes: number): Buffer => {
  const file = {
    path: '/etc/a',
    mode: '0644',
    owner: 'root',
    group: 'root',
    text: `${id}\n`.repeat(bytes / 40),
  };
  return Buffer.from(JSON.stringify({ format: 1, ruleset: 'r', units: [{ unit: 'files', files: [file] }] }));
};

const reportOf = (sha256: string) => ({
  profile: { id: 'debian', rev: 1 },
  ruleset: 'r',
  units: [{ unit: 'files', status: 'in_sync', message: '', files: 1, bytes: 1, state: 's' }],
  generation: null,
  content: null,
  view_sha256: sha256,
  raw_sha256: null,
  complete: true,
});

/** Tasks that the devices work on already: handing them out is not what is measured. */
async function insertTasks(
  controller: MusterController,
  devices: Device[],
): Promise<{ backup: string; pulls: string[] }> {
  const store = await openStore({ dialect: 'sqlite', path: controller.databasePath });
  const organization = await store.access.organization('default');
  const taskOf = (deviceId: string, type: 'PULL' | 'BACKUP', parameters: object) => ({
    id: randomUUID(),
    code: randomUUID().replaceAll('-', '').slice(0, 8),
    organizationId: organization?.id ?? '',
    deviceId,
    runId: null,
    type,
    status: 'PENDING' as const,
    lane: 'read' as const,
    parameters: JSON.stringify(parameters),
    force: false,
    createdBy: 'bench',
    createdAt: Date.now(),
    scheduledAt: null,
    expiresInMs: 3_600_000,
    timeoutMs: 3_600_000,
    expiresAt: Date.now() + 3_600_000,
    retryOf: null,
  });
  const backup = taskOf(devices[0]?.id ?? '', 'BACKUP', { recipients, max_bytes: 64 * 1024 * mib });
  const pulls = devices.map(({ id }) => taskOf(id, 'PULL', { recipients: [] }));
  await store.tasks.insert([backup, ...pulls]);
  await store.tasks.start([backup, ...pulls], Date.now(), 0);
  await store.close();
  return { backup: backup.code, pulls: pulls.map(({ code }) => code) };
}

class Device {
  readonly id: string;
  readonly #controller: MusterController;
  readonly #keys: KeyPair;

  constructor(controller: MusterController, id: string, privateKey: string) {
    this.#controller = controller;
    this.id = id;
    this.#keys = importPrivateKey(privateKey);
  }

  /** Reads the answer to its end; throws what is not 2xx. */
  async call(
    method: string,
    path: string,
    body?: object | { bytes: Readable; size: number },
    headers: Record<string, string> = {},
  ): Promise<void> {
    const isBytes = body !== undefined && 'bytes' in body;
    const text = isBytes || body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const asked = request({
      host: '127.0.0.1',
      port: this.#controller.port,
      method,
      path,
      agent: connections,
      headers: {
        authorization: `Bearer ${await this.#token()}`,
        ...(body && { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' }),
        ...(isBytes ? { 'content-length': body.size } : text && { 'content-length': text.length }),
        ...headers,
      },
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      asked.once('response', resolve);
      asked.once('error', reject);
    });
    if (isBytes) await pipeline(body.bytes, asked);
    else asked.end(text);
    const answer = await answered;
    let shown = '';
    for await (const chunk of answer as AsyncIterable<Buffer>)
      if (answer.statusCode !== 200) shown += String(chunk);
    if (answer.statusCode !== 200) throw new Error(`${method} ${path}: ${answer.statusCode} ${shown}`);
  }

  #token(): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT()
      .setProtectedHeader({ alg: 'EdDSA' })
      .setAudience(this.#controller.controllerId)
      .setSubject(this.id)
      .setJti(randomUUID())
      .setIssuedAt(now)
      .setExpirationTime(now + 50)
      .sign(this.#keys.privateKey);
  }
}

const connections = new Agent({ keepAlive: true, maxSockets: 1_000 });

async function timed(work: () => Promise<void>): Promise<number> {
  const from = preciseNow();
  await work();
  const seconds = (preciseNow() - from) / 1000;
  tell(`${seconds.toFixed(2)} s`);
  return seconds;
}

/** How much more memory a process had at its worst than at the beginning. */
class MemoryPeak {
  readonly #pid: number;
  readonly beforeMib: number;
  readonly #timer: NodeJS.Timeout;
  #peakMib: number;

  constructor(pid: number) {
    this.#pid = pid;
    this.beforeMib = this.#now();
    this.#peakMib = this.beforeMib;
    this.#timer = setInterval(() => {
      this.#peakMib = Math.max(this.#peakMib, this.#now());
    }, 50);
  }

  grownMib(): number {
    return Math.max(this.#peakMib, this.#now()) - this.beforeMib;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #now(): number {
    return residentKib(this.#pid) / 1024;
  }
}
