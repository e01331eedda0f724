import { decodeJwt, errors, jwtVerify } from 'jose';
import type { Clock, Instant, Random } from '../../shared/clock.ts';
import { AppError, type ErrorCode } from '../../shared/errors.ts';
import { importPublicKey, verifyText } from '../../shared/node/keys.ts';
import { type LinkRefusalDetail, linkTokenLifetimeSeconds } from '../../shared/protocol/enrol.ts';
import type { EndedKey } from '../store/device-keys.ts';
import type { DeviceRow } from '../store/devices.ts';
import { whyEnded } from './keys.ts';
import { RateLimit } from './rate-limit.ts';
import { UsedTokens } from './used-tokens.ts';

/** A device that proved who it is. */
export interface AdmittedDevice {
  id: string;
  organizationId: string;
  /** The key it proved to have; it may end before the device says hello. */
  publicKey?: string;
}

export interface AdmissionParts {
  /** Devices by id, as many as asked for at once. */
  devices: { getMany(ids: string[]): Promise<DeviceRow[]> };
  keys: {
    /** Told before a link is opened with the key that was held as the device's next one. */
    cameWith(device: DeviceRow, next: string): Promise<void>;
    endedOf(deviceId: string): Promise<EndedKey[]>;
  };
  clock: Clock;
  random: Random;
  controllerId: string;
  settings: { admissionsPerSecond: number; admissionsBurst: number };
}

/** A device that is not wanted (yet) asks again after so long; spread, so that a fleet does not come in step. */
const unwantedRetryMs = 60_000;
/** A key that ended never comes back: only a person at the device can change that. */
const endedRetryMs = 3_600_000;
const shortRetryMs = 1_000;
/** Clocks of both sides may differ by so much. */
const toleranceSeconds = 5;

/**
 * Decides who may open a link, before the upgrade completes. Refusals are `AppError`s whose `detail` is a `LinkRefusalDetail`.
 *
 * - Nothing is remembered for a caller that has not proven its key.
 * - While a device changes its key both are accepted; a link that is opened with the new one ends the old one first.
 * - A token admits once; a token may live at most 60 s, so what was used is forgotten after two minutes.
 */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #rate: RateLimit;
  readonly #used: UsedTokens;
  readonly #lookUp: (id: string) => Promise<DeviceRow | undefined>;
  refused = 0;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    const { clock, settings } = parts;
    this.#rate = new RateLimit(clock, settings.admissionsPerSecond, settings.admissionsBurst);
    this.#used = new UsedTokens(clock);
    this.#lookUp = groupedLookUp((ids) => parts.devices.getMany(ids));
  }

  /** `authorization`: the header as it came. */
  async authenticate(authorization: string | undefined): Promise<AdmittedDevice> {
    try {
      return await this.#authenticate(authorization);
    } catch (error) {
      this.refused += 1;
      throw error;
    }
  }

  /** The same for a single request, of which a device that works makes many: only links are admitted at a bounded rate. */
  async authenticateRequest(authorization: string | undefined): Promise<AdmittedDevice> {
    return admitted(await this.#prove(authorization));
  }

  async #authenticate(authorization: string | undefined): Promise<AdmittedDevice> {
    const waitMs = this.#rate.take();
    if (waitMs > 0) {
      const retryMs = waitMs + this.#jitter(waitMs + shortRetryMs);
      throw this.#refusal('too_many_requests', 'Too many devices connect at once', retryMs);
    }
    const proof = await this.#prove(authorization);
    const { device, key } = proof;
    if (key !== device.publicKey) await this.#parts.keys.cameWith(device, key);
    return admitted(proof);
  }

  /** The device, and which of its keys it showed. */
  async #prove(authorization: string | undefined): Promise<Proof> {
    const token = /^Bearer ([A-Za-z0-9_.-]{1,4096})$/.exec(authorization ?? '')?.[1];
    if (token === undefined) {
      throw this.#refusal('not_authenticated', 'Expected Authorization: Bearer with a token of the device');
    }
    const deviceId = this.#claimedDevice(token);
    const device = await this.#lookUp(deviceId);
    if (device === undefined) throw await this.#notKnown(token, { deviceId });
    const key = hasSigned(device.nextPublicKey, token) ? (device.nextPublicKey ?? '') : device.publicKey;
    const jti = await this.#verify(token, device, key);
    this.#refuseUnwanted(device);
    if (!this.#used.add(`${device.id} ${jti}`)) {
      throw this.#refusal('token_replayed', `The token of device ${device.name} was used before`);
    }
    return { device, key, id: device.id, organizationId: device.organizationId };
  }

  /** Whoever shows a key that was a device's once is told that it ended; nobody else learns anything. */
  async #notKnown(
    token: string,
    { deviceId, device }: { deviceId: string; device?: DeviceRow },
  ): Promise<AppError> {
    const ended = (await this.#parts.keys.endedOf(deviceId)).find((one) => hasSigned(one.publicKey, token));
    if (ended !== undefined) return this.#endedKey(device?.name ?? deviceId, ended.reason);
    return device === undefined
      ? this.#refusal('not_authenticated', `There is no device ${deviceId} here`, unwantedRetryMs)
      : this.#refusal(
          'not_authenticated',
          `The token is not signed with the key of device ${device.name}`,
          unwantedRetryMs,
        );
  }

  #endedKey(device: string, reason: EndedKey['reason']): AppError {
    return this.#refusal(
      'key_ended',
      `The key of device ${device} is accepted no more: ${whyEnded[reason]}. To join again the device needs an enrolment token, and \`muster-agent enrol --force\``,
      endedRetryMs,
    );
  }

  /** Whom the token claims to be from; proven by nothing yet. */
  #claimedDevice(token: string): string {
    try {
      const { sub } = decodeJwt(token);
      if (typeof sub === 'string' && sub.length <= 64) return sub;
    } catch {
      throw this.#refusal('not_authenticated', 'The token of the device cannot be read');
    }
    throw this.#refusal('not_authenticated', 'The token of the device does not name it (sub)');
  }

  async #verify(token: string, device: DeviceRow, key: string): Promise<string> {
    const { clock, controllerId } = this.#parts;
    const now = clock.now();
    try {
      const { payload } = await jwtVerify(token, importPublicKey(key), {
        algorithms: ['EdDSA'],
        audience: controllerId,
        subject: device.id,
        requiredClaims: ['exp', 'jti'],
        clockTolerance: toleranceSeconds,
        currentDate: new Date(now),
      });
      const { jti, exp } = payload;
      if (jti === undefined || jti.length > 128 || exp === undefined) {
        throw this.#refusal('not_authenticated', 'The token of the device has no usable jti and exp');
      }
      if (exp * 1000 > now + (linkTokenLifetimeSeconds + toleranceSeconds) * 1000) {
        throw this.#skewed(device, exp, now);
      }
      return jti;
    } catch (error) {
      if (error instanceof AppError) throw error;
      if (error instanceof errors.JWSSignatureVerificationFailed) {
        throw await this.#notKnown(token, { deviceId: device.id, device });
      }
      if (error instanceof errors.JWTExpired) throw this.#skewed(device, Number(error.payload.exp), now);
      if (error instanceof errors.JWTClaimValidationFailed && ['nbf', 'iat'].includes(error.claim)) {
        throw this.#skewed(device, Number(error.payload.exp), now);
      }
      const told = error instanceof Error ? error.message : String(error);
      throw this.#refusal('not_authenticated', `The token of device ${device.name} is not valid: ${told}`);
    }
  }

  #skewed(device: DeviceRow, exp: number, now: Instant): AppError {
    return this.#refusal(
      'clock_skew',
      `The token of device ${device.name} ends at ${iso(exp * 1000)}, and here it is ${iso(now)}: its clock differs, or the token is old`,
    );
  }

  #refuseUnwanted(device: DeviceRow): void {
    const retryMs = unwantedRetryMs / 2 + this.#jitter(unwantedRetryMs);
    if (device.keyRevokedAt !== null) throw this.#endedKey(device.name, 'revoked');
    if (device.quarantinedAt !== null) {
      const why = device.quarantineReason ?? 'two agents used its key';
      throw this.#refusal('quarantined', `Device ${device.name} is in quarantine: ${why}`, retryMs);
    }
    if (device.status === 'PENDING') {
      throw this.#refusal('not_approved', `Device ${device.name} is not approved yet`, retryMs / 6);
    }
    if (device.status === 'DISABLED') {
      throw this.#refusal('disabled', `Device ${device.name} is disabled`, retryMs);
    }
  }

  #jitter(ms: number): number {
    return this.#parts.random.fraction() * ms;
  }

  #refusal(code: ErrorCode, message: string, retryMs = 0): AppError {
    const detail: LinkRefusalDetail = {
      controller_time: this.#parts.clock.now(),
      retry_after_ms: Math.round(retryMs),
    };
    return new AppError(code, message, { detail });
  }
}

interface Proof extends AdmittedDevice {
  device: DeviceRow;
  key: string;
}

const admitted = ({ id, organizationId, key: publicKey }: Proof): AdmittedDevice => ({
  id,
  organizationId,
  publicKey,
});

/** Whether the key signed the token; what the token says is not looked at. */
function hasSigned(publicKey: string | null, token: string): boolean {
  if (publicKey === null) return false;
  const [header = '', payload = '', signature = ''] = token.split('.');
  try {
    return verifyText(`${header}.${payload}`, signature, importPublicKey(publicKey));
  } catch {
    return false;
  }
}

/** Looks up what is asked for in the same turn with one statement: a returning fleet asks for thousands. */
function groupedLookUp(
  getMany: (ids: string[]) => Promise<DeviceRow[]>,
): (id: string) => Promise<DeviceRow | undefined> {
  let next: { ids: Set<string>; found: Promise<Map<string, DeviceRow>> } | undefined;
  let running: Promise<unknown> = Promise.resolve();
  return async (id) => {
    if (next === undefined) {
      const ids = new Set<string>();
      const found = running
        .then(() => {
          next = undefined;
          return getMany([...ids]);
        })
        .then((devices) => new Map(devices.map((device) => [device.id, device])));
      next = { ids, found };
      running = found.catch(() => undefined);
    }
    next.ids.add(id);
    return (await next.found).get(id);
  };
}

const iso = (at: Instant): string => (Math.abs(at) < 8.64e15 ? new Date(at).toISOString() : String(at));
