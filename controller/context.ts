import { existsSync, readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { join } from 'node:path';
import { AppError } from '../shared/errors.ts';
import { lockFolder } from '../shared/node/folder-lock.ts';
import { parseMinisignKey } from '../shared/node/minisign.ts';
import { createLogger, type Logger } from '../shared/node/logger.ts';
import { systemClock, systemRandom } from '../shared/node/system-clock.ts';
import type { OidcSettings } from './access/oidc/oidc-config.ts';
import type { ApiConfig } from './api/parts.ts';
import { createApi } from './api/server.ts';
import { createInProcessBus } from './bus/in-process.ts';
import { type ControllerConfig, settingsOf } from './config.ts';
import { openModel } from './assistant/open-model.ts';
import { createContent } from './content/content.ts';
import { keyInFolder } from './content/secret-key.ts';
import { type BlobPlace, openBlobs } from './content/open-blobs.ts';
import type { BlobStore } from './content/blobs.ts';
import { type ControllerCore, createControllerCore, defaultSettings } from './core.ts';
import { loadIdentity } from './devices/identity.ts';
import { serveLinks } from './link/server.ts';
import { openStore } from './store/open.ts';
import type { Store } from './store/store.ts';
import { serveSessions } from './tunnel/session-server.ts';
import { createConfiguration } from './sync/configuration.ts';
import { version } from './version.ts';
import type { AddressRules } from './webhooks/address-guard.ts';
import { createWebhooks } from './webhooks/create-webhooks.ts';

export const databaseFile = 'controller.db';
/** Base URL as given to init. */
export const publicUrlSetting = 'public_url';

/** The controller as it runs: everything it is made of, put together once. */
export interface ControllerContext extends AsyncDisposable {
  core: ControllerCore;
  api: FastifyInstance;
  log: Logger;
  publicUrl: string;
  /** No more links are taken. */
  stopLinks: () => void;
}

/** Opens the data folder and builds everything on it; what was opened is closed in reverse when something fails. */
export async function createContext(data: string, config: ControllerConfig): Promise<ControllerContext> {
  const path = join(data, databaseFile);
  if (!existsSync(path)) {
    throw new AppError(
      'not_found',
      `${data} holds no controller yet: run \`muster-controller init --data ${data}\` first`,
    );
  }
  await using opened = new AsyncDisposableStack();
  const lock = lockFolder(data);
  if (lock === undefined) throw new AppError('conflict', `Another controller works on ${data} already`);
  opened.use(lock);
  const tls = readTls(config);
  const log = createLogger({
    name: 'muster-controller',
    level: config.log_level,
    journal: process.env['JOURNAL_STREAM'] !== undefined,
  });
  const store = opened.adopt(await openStore({ dialect: 'sqlite', path, log }), (one) => one.close());
  const bytes = opened.use(await openBlobs(blobPlace(data, config), systemRandom));
  const built = await build(data, config, { store, bytes, tls, log });
  opened.defer(() => built.api.close());
  const closing = opened.move();
  return { ...built, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

async function build(
  data: string,
  config: ControllerConfig,
  {
    store,
    bytes,
    tls,
    log,
  }: { store: Store; bytes: BlobStore; tls: { cert: Buffer; key: Buffer } | undefined; log: Logger },
): Promise<Omit<ControllerContext, keyof AsyncDisposable>> {
  const identity = await loadIdentity(store.settings, data);
  const settings = settingsOf(
    config,
    (await store.settings.get(publicUrlSetting)) ?? defaultSettings.publicUrl,
  );
  const base = { store, clock: systemClock, random: systemRandom, log };
  const content = createContent({
    ...base,
    bytes,
    uploadsFolder: join(data, 'uploads'),
    backupRetention: config.backup_retention,
    snapshotRetention: config.snapshot_retention,
    releaseKeys: config.releases.public_keys.map(parseMinisignKey),
    log: log.child({ part: 'content' }),
  });
  const { houseKeep } = content;
  const bus = createInProcessBus();
  const masterKey = keyInFolder(data, systemRandom);
  const { webhooks, ...sending } = createWebhooks({
    ...base,
    bus,
    masterKey,
    rules: webhookRulesOf(config),
    log: log.child({ part: 'webhooks' }),
  });
  const core = createControllerCore({
    ...base,
    bus,
    loops: [sending],
    identity,
    settings,
    oidc: readOidc(config),
    houseKeep,
    sync: (order, submit) => configuration.apply(order, submit),
    releases: content.releases,
    assistant: config.assistant && {
      model: await openModel(config.assistant, process.env, log.child({ part: 'assistant' })),
      atOnce: config.assistant.max_concurrent,
      snapshots: content.snapshots,
      syncStatus: (organization, page) => configuration.status(organization, page),
    },
  });
  const { blobs, snapshots } = content;
  const configuration = createConfiguration({
    ...base,
    blobs,
    view: (snapshot) => snapshots.view(snapshot),
    submit: (submission) => core.submit(submission),
    masterKey,
  });
  const api = await createApi({
    ...base,
    core,
    content,
    configuration,
    webhooks,
    secretsFor: (task) => configuration.secretsFor(task),
    config: apiConfigOf(config, settings.publicUrl, tls),
  });
  const { admission } = core;
  const stopLinks = serveLinks({
    server: api.server,
    admission,
    openLink: (device, socket) => core.openLink(device, socket),
    sessions: serveSessions({ sessions: core.sessions, admission }),
    clock: systemClock,
    log: log.child({ part: 'link' }),
  });
  return { core, api, log, publicUrl: settings.publicUrl, stopLinks };
}

const webhookRulesOf = ({ webhooks }: ControllerConfig): AddressRules => ({
  allowPrivateNetworks: webhooks.allow_private_networks,
  allowHttp: webhooks.allow_http,
});

const apiConfigOf = (config: ControllerConfig, publicUrl: string, tls: ApiConfig['tls']) => ({
  version,
  publicUrl,
  trustedProxies: config.trusted_proxies,
  metricsAccess: config.metrics_access,
  ...(config.requests_per_minute === undefined ? {} : { requestsPerMinute: config.requests_per_minute }),
  ...(tls === undefined ? {} : { tls }),
});

function blobPlace(data: string, { blobs: { folder, s3 } }: ControllerConfig): BlobPlace {
  return s3 ? { s3 } : { folder: folder ?? join(data, 'blobs') };
}

function readOidc({ oidc }: ControllerConfig): OidcSettings | undefined {
  if (oidc?.client_secret_file === undefined) return oidc;
  return { ...oidc, clientSecret: readFileSync(oidc.client_secret_file, 'utf8').trim() };
}

function readTls(config: ControllerConfig): { cert: Buffer; key: Buffer } | undefined {
  const { tls_cert_file: cert, tls_key_file: key } = config;
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new AppError('bad_request', 'tls_cert_file and tls_key_file are needed both, or neither');
  }
  return { cert: readFileSync(cert), key: readFileSync(key) };
}
