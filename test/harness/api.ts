import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { createInProcessBus } from '../../controller/bus/in-process.ts';
import type { ApiConfig, ApiParts } from '../../controller/api/parts.ts';
import { createApi } from '../../controller/api/server.ts';
import {
  type ControllerCore,
  type ControllerParts,
  createControllerCore,
  defaultSettings,
} from '../../controller/core.ts';
import type { AccessTokenRow, AccountRow, OrganizationRow } from '../../controller/store/access.ts';
import { type Content, createContent } from '../../controller/content/content.ts';
import { DiskBlobs } from '../../controller/content/disk-blobs.ts';
import { keyInMemory } from '../../controller/content/secret-key.ts';
import { openStore } from '../../controller/store/open.ts';
import type { Store } from '../../controller/store/store.ts';
import { createConfiguration } from '../../controller/sync/configuration.ts';
import { minisignPublicKey, parseMinisignKey } from '../../shared/node/minisign.ts';
import { releaseSigner } from './signed-release.ts';
import { createWebhooks } from '../../controller/webhooks/create-webhooks.ts';
import type { Role } from '../../shared/api/common.ts';
import type { DeviceStatus } from '../../shared/api/devices.ts';
import type { Labels } from '../../shared/ids.ts';
import { type KeyPair, generateKeyPair } from '../../shared/node/keys.ts';
import { silentLogger } from '../../shared/node/logger.ts';
import { systemClock, systemRandom } from '../../shared/node/system-clock.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Somebody with a token. */
export interface Member {
  account: AccountRow;
  organization: OrganizationRow;
  row: AccessTokenRow;
  token: string;
}

type Verb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | number | undefined>;
  text: string;
  body: Record<string, unknown>;
}

/** The real API over the real core and a real store in memory; nothing listens unless asked. Every answer is held against its schema. */
export class ApiUnderTest {
  readonly app: FastifyInstance;
  readonly core: ControllerCore;
  readonly store: Store;
  readonly content: Content;
  /** Blobs lie in `blobs`, uploads in `uploads`. */
  readonly folder: { path: string } & Disposable;
  /** By device id. */
  readonly deviceKeys = new Map<string, KeyPair>();
  readonly admin: Member;
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;

  private constructor(parts: {
    app: FastifyInstance;
    core: ControllerCore;
    store: Store;
    content: Content;
    folder: { path: string } & Disposable;
    admin: Member;
  }) {
    this.app = parts.app;
    this.core = parts.core;
    this.store = parts.store;
    this.content = parts.content;
    this.folder = parts.folder;
    this.admin = parts.admin;
  }

  static async start(
    config: Partial<ApiConfig> = {},
    replaced: (parts: Omit<ApiParts, 'config'>) => Partial<ApiParts> = () => ({}),
    coreParts: Partial<ControllerParts> = {},
  ): Promise<ApiUnderTest> {
    const folder = temporaryFolder('api');
    const store = await openStore({ dialect: 'sqlite', path: ':memory:' });
    const base = { store, clock: systemClock, random: systemRandom, log: silentLogger() };
    const bytes = await DiskBlobs.open(join(folder.path, 'blobs'), systemRandom);
    const content = createContent({
      ...base,
      bytes,
      uploadsFolder: join(folder.path, 'uploads'),
      releaseKeys: [parseMinisignKey(minisignPublicKey(releaseSigner))],
    });
    const bus = createInProcessBus();
    const masterKey = keyInMemory(systemRandom);
    const { webhooks, ...sending } = createWebhooks({
      ...base,
      bus,
      masterKey,
      rules: { allowPrivateNetworks: true, allowHttp: true },
    });
    const core = createControllerCore({
      ...base,
      bus,
      loops: [sending],
      identity: { controllerId: systemRandom.uuid(), keys: generateKeyPair() },
      settings: { ...defaultSettings, ...(config.publicUrl && { publicUrl: config.publicUrl }), pollMs: 50 },
      sync: (order, submit) => configuration.apply(order, submit),
      releases: content.releases,
      ...coreParts,
    });
    const configuration = createConfiguration({
      ...base,
      blobs: content.blobs,
      view: (snapshot) => content.snapshots.view(snapshot),
      submit: (submission) => core.submit(submission),
      masterKey,
    });
    const admin = await addMember(store, core, await addOrganization(store, 'default'), 'admin');
    const app = await createApi({
      ...base,
      core,
      content,
      configuration,
      webhooks,
      secretsFor: (task) => configuration.secretsFor(task),
      ...replaced({ ...base, core, content, configuration, webhooks }),
      config: { checkAnswers: true, processMetrics: false, ...config },
    });
    return new ApiUnderTest({ app, core, store, content, folder, admin });
  }

  /** Starts the loops of the core. */
  run(): void {
    this.#running ??= this.core.run(this.#stopped.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.app.close();
    this.#stopped.abort();
    await this.#running;
    await this.store.close();
    this.folder[Symbol.dispose]();
  }

  organization(name: string): Promise<OrganizationRow> {
    return addOrganization(this.store, name);
  }

  member(role: Role, scope: 'RW' | 'RO' = 'RW', organization = this.admin.organization): Promise<Member> {
    return addMember(this.store, this.core, organization, role, scope);
  }

  async device(name: string, over: { status?: DeviceStatus; labels?: Labels } = {}): Promise<string> {
    const id = systemRandom.uuid();
    const keys = generateKeyPair();
    this.deviceKeys.set(id, keys);
    await this.store.devices.insert({
      id,
      organizationId: this.admin.organization.id,
      name,
      status: over.status ?? 'ENABLED',
      publicKey: keys.publicKey,
      labels: over.labels ?? {},
      agentVersion: '0.1.0',
      createdAt: Date.now(),
    });
    return id;
  }

  /** Runs PING (or what `over` says) on devices and answers the run. */
  async submit(devices: string[], over: object = {}): Promise<{ run: string; tasks: string[] }> {
    const answer = await this.call('POST', '/api/v1/organizations/default/tasks', {
      body: { type: 'PING', targets: { devices }, ...over },
    });
    if (answer.status !== 200) throw new Error(`not submitted: ${answer.text}`);
    const { run, tasks } = answer.body as { run: string; tasks: { task: string }[] };
    return { run, tasks: tasks.map(({ task }) => task) };
  }

  async call(
    method: Verb,
    url: string,
    request: {
      as?: Member | null;
      body?: unknown;
      headers?: Record<string, string>;
      raw?: string | Buffer;
    } = {},
  ): Promise<Answer> {
    const { as = this.admin, body, headers = {}, raw } = request;
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await this.app.inject({
      method,
      url,
      headers: {
        ...(as !== null && { authorization: `Bearer ${as.token}` }),
        ...(payload !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(payload !== undefined && { payload }),
    });
    const isJson = String(response.headers['content-type']).startsWith('application/json');
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      body: isJson && response.body !== '' ? (response.json() as Record<string, unknown>) : {},
    };
  }

  /** Listens on loopback, on a free port unless told which, and answers the base URL. */
  listen(port = 0): Promise<string> {
    return this.app.listen({ host: '127.0.0.1', port });
  }
}

async function addOrganization(store: Store, name: string): Promise<OrganizationRow> {
  const organization = { id: systemRandom.uuid(), name, displayName: name, createdAt: Date.now() };
  await store.access.insertOrganization(organization);
  return organization;
}

async function addMember(
  store: Store,
  core: ControllerCore,
  organization: OrganizationRow,
  role: Role,
  scope: 'RW' | 'RO' = 'RW',
): Promise<Member> {
  const id = systemRandom.uuid();
  const account: AccountRow = {
    id,
    organizationId: organization.id,
    email: `${role}-${id}@example.org`,
    name: role,
    role,
    createdAt: Date.now(),
  };
  await store.access.insertAccount(account);
  const actor = { name: 'test', organizationId: organization.id, ipAddress: null, requestId: null };
  const wish = { name: 'first', scope, expiresAt: null };
  const { row, token } = await core.tokens.mintAccessToken(actor, account, wish);
  return { account, organization, row, token };
}
