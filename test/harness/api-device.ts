import { createHash, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import type { PullReport } from '../../shared/protocol/transfer.ts';
import {
  archiveReportPath,
  pullReportPath,
  uploadCompletePath,
  uploadPath,
} from '../../shared/protocol/transfer.ts';
import { signText, type KeyPair } from '../../shared/node/keys.ts';
import type { ArchiveManifest, ArchiveStatement } from '../../shared/task-types/backup.ts';
import type { ConfigView } from '../../shared/task-types/pull.ts';
import type { Answer, ApiUnderTest } from './api.ts';

export const sha256Of = (bytes: string | Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

type Verb = 'GET' | 'POST' | 'PATCH' | 'HEAD';

/** A device that talks to the API with its own key, and says what a test wants it to say. */
export class ApiDevice {
  readonly id: string;
  readonly name: string;
  readonly keys: KeyPair;
  readonly #api: ApiUnderTest;

  private constructor(api: ApiUnderTest, id: string, name: string) {
    const keys = api.deviceKeys.get(id);
    if (keys === undefined) throw new Error(`device ${id} has no key`);
    this.#api = api;
    this.id = id;
    this.name = name;
    this.keys = keys;
  }

  static async make(api: ApiUnderTest, name = `fw-${randomUUID().slice(0, 8)}`): Promise<ApiDevice> {
    return new ApiDevice(api, await api.device(name), name);
  }

  token(over: { jti?: string; key?: KeyPair; sub?: string } = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT()
      .setProtectedHeader({ alg: 'EdDSA' })
      .setAudience(this.#api.core.identity.controllerId)
      .setSubject(over.sub ?? this.id)
      .setJti(over.jti ?? randomUUID())
      .setIssuedAt(now)
      .setExpirationTime(now + 50)
      .sign((over.key ?? this.keys).privateKey);
  }

  /** A body of bytes travels as such, any other as JSON. */
  async call(
    method: Verb,
    url: string,
    body?: Uint8Array | object,
    headers: Record<string, string> = {},
  ): Promise<Answer & { bytes: Buffer }> {
    const isBytes = body instanceof Uint8Array;
    const response = await this.#api.app.inject({
      method,
      url,
      headers: {
        authorization: `Bearer ${await this.token()}`,
        ...(body !== undefined && {
          'content-type': isBytes ? 'application/octet-stream' : 'application/json',
        }),
        ...headers,
      },
      ...(body !== undefined && { payload: isBytes ? Buffer.from(body) : JSON.stringify(body) }),
    });
    const isJson = String(response.headers['content-type']).startsWith('application/json');
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      bytes: response.rawPayload,
      body: isJson && response.body !== '' ? (response.json() as Record<string, unknown>) : {},
    };
  }

  /** A task of this device that is IN_PROGRESS. */
  async task(type: 'PING' | 'PULL' | 'BACKUP' | 'SYNC', parameters: object = {}): Promise<string> {
    const code = randomUUID().replaceAll('-', '').slice(0, 8);
    const { store, admin } = this.#api;
    await store.tasks.insert([
      {
        id: randomUUID(),
        code,
        organizationId: admin.organization.id,
        deviceId: this.id,
        runId: null,
        type,
        status: 'PENDING',
        lane: 'read',
        parameters: JSON.stringify(parameters),
        force: false,
        createdBy: 'test',
        createdAt: Date.now(),
        scheduledAt: null,
        expiresInMs: 600_000,
        timeoutMs: 600_000,
        expiresAt: Date.now() + 600_000,
        retryOf: null,
      },
    ]);
    await store.tasks.start([{ deviceId: this.id, code }], Date.now(), 0);
    return code;
  }

  async finish(code: string): Promise<void> {
    const ended = {
      attempt: 1,
      outcome: 'COMPLETED' as const,
      message: null,
      errorCode: null,
      errorMessage: null,
    };
    const done = [{ deviceId: this.id, code, ...ended, result: '{}' }];
    await this.#api.store.tasks.finish(done, Date.now());
  }

  append(code: string, name: string, offset: number, bytes: Uint8Array) {
    return this.call('PATCH', uploadPath(code, name), bytes, { 'upload-offset': String(offset) });
  }

  complete(code: string, name: string, bytes: string | Uint8Array) {
    const claim = { size: Buffer.byteLength(bytes), sha256: sha256Of(bytes) };
    return this.call('POST', uploadCompletePath(code, name), claim);
  }

  /** Brings something whole and returns its digest. */
  async bring(code: string, name: string, content: string | Uint8Array): Promise<string> {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const appended = await this.append(code, name, 0, bytes);
    if (appended.status !== 200) throw new Error(`not appended: ${appended.text}`);
    const completed = await this.complete(code, name, bytes);
    if (completed.status !== 200) throw new Error(`not completed: ${completed.text}`);
    return sha256Of(bytes);
  }

  reportPull(code: string, report: PullReport) {
    return this.call('POST', pullReportPath(code), report);
  }

  /** Brings a view (and an original) and reports it. */
  async pull(
    view: ConfigView,
    over: Partial<PullReport> & { raw?: Uint8Array; code?: string } = {},
  ): Promise<Answer> {
    const { raw, code = await this.task('PULL', { recipients: [] }), ...report } = over;
    const viewSha256 = await this.bring(code, 'view', JSON.stringify(view));
    const rawSha256 = raw === undefined ? null : await this.bring(code, 'raw', raw);
    return this.reportPull(code, {
      ...pullReport(view),
      view_sha256: viewSha256,
      raw_sha256: rawSha256,
      ...report,
    });
  }

  /** What the device signs of an archive. */
  statement(over: Partial<ArchiveStatement> = {}, key = this.keys): { statement: string; signature: string } {
    const statement = JSON.stringify({
      format: 1,
      device: this.id,
      made_at: new Date().toISOString(),
      manifest_sha256: '0'.repeat(64),
      archive_sha256: '0'.repeat(64),
      archive_bytes: 0,
      content: 'content-1',
      ...over,
    } satisfies ArchiveStatement);
    return { statement, signature: signText(statement, key.privateKey) };
  }

  manifest(over: Partial<ArchiveManifest> = {}): ArchiveManifest {
    return {
      format: 1,
      device: this.id,
      device_name: this.name,
      made_at: new Date().toISOString(),
      boot_id: 'boot',
      generation: null,
      profile: { id: 'debian', rev: 1 },
      system: {},
      content: 'content-1',
      files: [
        { path: '/etc/hosts', unit: null, type: 'file', mode: '0644', owner: 'root', group: 'root', size: 1 },
      ],
      ...over,
    };
  }

  /** Brings an archive with its manifest and reports it; `bytes` stand for what is encrypted. */
  async backUp(
    bytes: Uint8Array,
    { code, content = 'content-1' }: { code?: string; content?: string } = {},
  ): Promise<Answer & { code: string }> {
    const task = code ?? (await this.task('BACKUP', { recipients: twoRecipients }));
    const manifest = JSON.stringify(this.manifest({ content }));
    const report = this.statement({
      manifest_sha256: await this.bring(task, 'manifest', manifest),
      archive_sha256: await this.bring(task, 'archive', bytes),
      archive_bytes: bytes.length,
      content,
    });
    const answer = await this.call('POST', archiveReportPath(task), { ...report, outcome: 'stored' });
    return { ...answer, code: task };
  }
}

export const twoRecipients = ['q', 'p'].map((letter) => `age1${letter.repeat(58)}`);

/** A view with one file per path. */
export const configView = (files: Record<string, string>, ruleset = 'rules-1'): ConfigView => ({
  format: 1,
  ruleset,
  units: [
    {
      unit: 'files',
      files: Object.entries(files).map(([path, text]) => ({
        path,
        mode: '0644',
        owner: 'root',
        group: 'root',
        text,
      })),
    },
  ],
});

/** What a device says of a view; the digest is still to be told. */
export const pullReport = (view: ConfigView): PullReport => ({
  profile: { id: 'debian', rev: 1 },
  ruleset: view.ruleset,
  units: [
    {
      unit: 'files',
      status: 'in_sync',
      message: '',
      files: 1,
      bytes: 1,
      state: sha256Of(JSON.stringify(view.units)),
    },
  ],
  generation: null,
  content: null,
  view_sha256: '',
  raw_sha256: null,
  complete: true,
});
