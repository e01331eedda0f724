import type { Clock, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { hashSecret, importPublicKey, sameDigest, signText } from '../../shared/node/keys.ts';
import type { EnrolAnswer, EnrolRequest, EnrolStatement } from '../../shared/protocol/enrol.ts';
import type { EnrolmentTokenRow } from '../store/access.ts';
import type { DeviceRow } from '../store/devices.ts';
import type { Store, StoreTables } from '../store/store.ts';
import type { ControllerIdentity } from './identity.ts';

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
 * - The answer is signed over the device's nonce: nobody else can have given it.
 */
export async function enrol(parts: EnrolParts, request: EnrolRequest, origin: Origin): Promise<EnrolAnswer> {
  checkKey(request.public_key);
  const device = await parts.store.transaction(async (tables) => {
    const token = await tokenOf(tables, request.secret);
    const known = await tables.devices.byPublicKey(request.public_key);
    if (known !== undefined && known.organizationId === token.organizationId) return known;
    return join(parts, tables, { token, request, origin });
  });
  const organization = await parts.store.access.organization(device.organizationId);
  return signedAnswer(parts.identity, request, device, organization?.name ?? device.organizationId);
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

async function join(
  { clock, random }: EnrolParts,
  tables: StoreTables,
  { token, request, origin }: { token: EnrolmentTokenRow; request: EnrolRequest; origin: Origin },
): Promise<DeviceRow> {
  const now = clock.now();
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
    // What the operator said about this token stands above what the device says of itself.
    labels: { ...request.labels, ...token.labels },
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
