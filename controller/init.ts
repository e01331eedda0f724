import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../shared/errors.ts';
import { keyFingerprint } from '../shared/node/keys.ts';
import { systemClock, systemRandom } from '../shared/node/system-clock.ts';
import { NewPassword } from '../shared/api/accounts.ts';
import { parse } from '../shared/parse.ts';
import { Passwords } from './access/passwords.ts';
import { controllerActor } from './devices/actor.ts';
import { createIdentity } from './devices/identity.ts';
import { Tokens } from './devices/tokens.ts';
import { databaseFile, publicUrlSetting } from './context.ts';
import { openStore } from './store/open.ts';
import type { Store } from './store/store.ts';

/** What a fresh controller tells its first admin; the tokens are shown only now. */
export interface InitAnswer {
  organization: string;
  admin: string;
  admin_token: string;
  enrolment_token: string;
  controller_id: string;
  fingerprint: string;
  url: string;
  data: string;
}

interface InitWish {
  data: string;
  url: string;
  admin: string;
  /** Without one the admin has tokens only. */
  adminPassword?: string;
}

const enrolmentTokenMs = 7 * 86_400_000;

/** Makes a data folder: key, database, organization `default`, an admin, and the first tokens. Refuses a folder that has one. */
export async function initController(options: InitWish): Promise<InitAnswer> {
  const { data, adminPassword } = options;
  if (adminPassword !== undefined) parse('The password of the admin', NewPassword, adminPassword);
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const path = join(data, databaseFile);
  if (existsSync(path)) {
    throw new AppError('conflict', `${data} holds a controller already: nothing was changed`);
  }
  const store = await openStore({ dialect: 'sqlite', path });
  try {
    return await populate(store, options);
  } finally {
    await store.close();
  }
}

async function populate(store: Store, { data, url, admin, adminPassword }: InitWish): Promise<InitAnswer> {
  const now = systemClock.now();
  const identity = await createIdentity(store.settings, data, systemRandom);
  await store.settings.set(publicUrlSetting, url);
  const organization = { id: systemRandom.uuid(), name: 'default', displayName: 'Default', createdAt: now };
  await store.access.insertOrganization(organization);
  const account = {
    id: systemRandom.uuid(),
    organizationId: organization.id,
    email: admin,
    name: 'Administrator',
    role: 'admin' as const,
    createdAt: now,
  };
  await store.access.insertAccount(account);
  if (adminPassword !== undefined) {
    await store.logins.setPassword(admin, await new Passwords().hash(adminPassword), now);
  }

  const tokens = new Tokens({
    store,
    clock: systemClock,
    random: systemRandom,
    publicUrl: url,
    controllerKey: identity.keys.publicKey,
  });
  const actor = controllerActor(organization.id);
  const { token } = await tokens.mintAccessToken(actor, account, {
    name: 'init',
    scope: 'RW',
    expiresAt: null,
  });
  const { ticket } = await tokens.mintEnrolmentToken(actor, organization, {
    name: 'init',
    maxUses: null,
    autoApprove: false,
    labels: {},
    expiresAt: now + enrolmentTokenMs,
  });
  return {
    organization: organization.name,
    admin: account.email,
    admin_token: token,
    enrolment_token: ticket,
    controller_id: identity.controllerId,
    fingerprint: keyFingerprint(identity.keys.publicKey),
    url,
    data,
  };
}
