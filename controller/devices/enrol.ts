import type { Clock, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { hashSecret, importPublicKey, keyFingerprint, sameDigest, signText } from '../../shared/node/keys.ts';
import type { EnrolAnswer, EnrolRequest, EnrolStatement } from '../../shared/protocol/enrol.ts';
import type { EnrolmentTokenRow } from '../store/access.ts';
import type { DeviceRow } from '../store/devices.ts';
import type { Store, StoreTables } from '../store/store.ts';
import { requireZoneLabel } from './device-zone.ts';
import type { ControllerIdentity } from './identity.ts';
import { recordKey } from './record-key.ts';

export interface EnrolParts {
  store: Store;
  clock: Clock;
  random: Random;
  identity: ControllerIdentity;
}

/** Where a request came from, for the audit log. */
export interface Origin {
  ipAddress: string | null;
  requestId: string | null;
}

/**
 * A device asks to join with its key.
 *
 * - The token is used and the device created in one transaction: an answer that is lost costs no use, for the same key asking again
 *   gets the same device, with the token's secret but without another use.
 * - A token that was made for one device lets the machine take its place; the caller then closes the link of the machine before.
 * - The answer is signed over the device's nonce: nobody else can have given it.
 */
export async function enrol(
  parts: EnrolParts,
  request: EnrolRequest,
  origin: Origin,
): Promise<{ answer: EnrolAnswer; reboundId?: string }> {
  checkKey(request.public_key);
  let reboundId: string | undefined;
  const device = await parts.store.transaction(async (tables) => {
    reboundId = undefined;
    const token = await tokenOf(tables, request.secret);
    const rebindId = token.deviceId ?? null;
    const known = await tables.devices.byPublicKey(request.public_key);
    if (known?.organizationId === token.organizationId && known.keyRevokedAt === null) {
      if (rebindId === null || rebindId === known.id) return known;
    }
    if (known !== undefined || (await tables.devices.keys.isTaken(request.public_key))) {
      throw new AppError(
        'conflict',
        'The key of this device is in use already, or was before: enrol with --force, which makes a new one',
      );
    }
    const joining = { token, request, origin };
    if (rebindId === null) return join(parts, tables, joining);
    reboundId = rebindId;
    return rebind(parts, tables, { ...joining, deviceId: rebindId });
  });
  const organization = await parts.store.access.organization(device.organizationId);
  const answer = signedAnswer(parts.identity, request, device, organization?.name ?? device.organizationId);
  return reboundId === undefined ? { answer } : { answer, reboundId };
}

function checkKey(publicKey: string): void {
  try {
    importPublicKey(publicKey);
  } catch (cause) {
    throw new AppError('bad_request', 'public_key is not valid: it is not an Ed25519 public key', { cause });
  }
}

async function tokenOf(tables: StoreTables, secret: string): Promise<EnrolmentTokenRow> {
  const hash = hashSecret(secret);
  const token = await tables.access.enrolmentTokenByHash(hash);
  if (token === undefined || !sameDigest(token.hash, hash)) {
    throw new AppError('not_authenticated', 'The enrolment token is not known here');
  }
  return token;
}

interface Joining {
  token: EnrolmentTokenRow;
  request: EnrolRequest;
  origin: Origin;
}

/** The machine takes the place of a device: name, labels, history and tasks stay, the key before it ends. */
async function rebind(
  { clock }: EnrolParts,
  tables: StoreTables,
  { token, request, origin, deviceId }: Joining & { deviceId: string },
): Promise<DeviceRow> {
  const now = clock.now();
  const before = await tables.devices.get(deviceId);
  if (before === undefined) throw new AppError('not_found', 'The device that this token is for was removed');
  if (!(await tables.access.useEnrolmentToken(token.id, now))) throw spent(token, now);
  await tables.devices.keys.replace(deviceId, request.public_key, now);
  const detail = {
    token: token.name,
    from: keyFingerprint(before.publicKey),
    to: keyFingerprint(request.public_key),
    told_name: request.name,
  };
  const told = { event: 'device.rebound', action: 'device.rebind' } as const;
  await recordKey(tables, before, { at: now, ...told, detail, ...origin });
  return { ...before, publicKey: request.public_key };
}

async function join(
  { clock, random }: EnrolParts,
  tables: StoreTables,
  { token, request, origin }: Joining,
): Promise<DeviceRow> {
  const now = clock.now();
  // What the operator said about this token stands above what the device says of itself.
  const labels = { ...request.labels, ...token.labels };
  requireZoneLabel(labels);
  if (!(await tables.access.useEnrolmentToken(token.id, now))) throw spent(token, now);

  const id = random.uuid();
  const { organizationId } = token;
  const status = token.autoApprove ? ('ENABLED' as const) : ('PENDING' as const);
  await tables.devices.insert({
    id,
    organizationId,
    name: request.name,
    status,
    publicKey: request.public_key,
    labels,
    agentVersion: request.agent_version,
    createdAt: now,
  });
  const detail = { status, token: token.name };
  await tables.events.append([
    {
      type: 'device.enrolled',
      at: now,
      organizationId,
      deviceId: id,
      taskId: null,
      runId: null,
      data: { name: request.name, ...detail },
    },
  ]);
  await tables.audit.append([
    {
      at: now,
      organizationId,
      actor: `device ${request.name}`,
      action: 'device.enrol',
      target: request.name,
      detail,
      ...origin,
    },
  ]);
  const device = await tables.devices.get(id);
  if (device === undefined) throw new Error(`device ${id} is missing right after it was inserted`);
  return device;
}

function spent(token: EnrolmentTokenRow, now: number): AppError {
  const what = `Enrolment token ${token.name}`;
  if (token.revokedAt !== null) return new AppError('not_authenticated', `${what} was revoked`);
  if (token.expiresAt !== null && token.expiresAt <= now) {
    return new AppError('token_expired', `${what} expired ${new Date(token.expiresAt).toISOString()}`);
  }
  return new AppError(
    'not_authenticated',
    `${what} is used up: it was good for ${token.maxUses ?? 0} devices`,
  );
}

function signedAnswer(
  { controllerId, keys }: ControllerIdentity,
  request: EnrolRequest,
  device: DeviceRow,
  organization: string,
): EnrolAnswer {
  const statement: EnrolStatement = {
    nonce: request.nonce,
    device_id: device.id,
    name: device.name,
    organization,
    controller_id: controllerId,
    public_key: device.publicKey,
  };
  const text = JSON.stringify(statement);
  return {
    status: device.status,
    statement: text,
    controller_key: keys.publicKey,
    signature: signText(text, keys.privateKey),
  };
}
